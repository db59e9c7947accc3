from __future__ import annotations

import pytest
from tests.support.channel_members import ChannelMember, channel_of
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.msp import Msp, MspManager


@pytest.fixture(scope="session")
def ca() -> ThrowawayCa:
    return ThrowawayCa.root("ca.org1")


@pytest.fixture(scope="session")
def other_ca() -> ThrowawayCa:
    return ThrowawayCa.root("ca.org2", "Org2MSP")


@pytest.fixture(scope="session")
def third_ca() -> ThrowawayCa:
    return ThrowawayCa.root("ca.org3", "Org3MSP")


@pytest.fixture(scope="session")
def msp(ca: ThrowawayCa) -> Msp:
    return Msp.from_config(ca.msp_config())


@pytest.fixture(scope="session")
def msps(ca: ThrowawayCa, other_ca: ThrowawayCa, third_ca: ThrowawayCa) -> MspManager:
    return MspManager(Msp.from_config(each.msp_config()) for each in (ca, other_ca, third_ca))


@pytest.fixture(scope="session")
def members() -> list[ChannelMember]:
    """Six members, of whom the first five make the channel."""
    return [ChannelMember.named(number) for number in range(1, 7)]


@pytest.fixture(scope="session")
def channel(members: list[ChannelMember]) -> ChannelConfig:
    return channel_of(members[:5])

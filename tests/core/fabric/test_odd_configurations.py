"""One member's odd configuration is read and described for everybody, whatever Fabric says of it: no other member's command fails."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.fabric.fuzzing.drafts import Issuer
from tests.fabric.fuzzing.keys import Key
from tests.fabric.fuzzing.msp_cases import config_case
from tests.support.channel_members import ChannelMember, channel_of, config_of

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.config_checks import check_group
from shirushi_core.fabric.config_difference import describe_difference
from shirushi_core.fabric.config_edits import set_batch
from shirushi_network.channel_inspection import inspect_channel

MEMBERS = tuple(ChannelMember.named(number) for number in (1, 2, 3))
ODD = MEMBERS[0]
GROUP = channel_of(MEMBERS).config.channel_group
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ISSUER = Issuer(ODD.ca.certificate.subject.public_bytes(), Key.of(ODD.ca.key), b"key id", "260201000000Z")


@pytest.mark.parametrize("start", range(0, 400, 40))
def test_the_others_go_on_reading_describing_and_changing(start: int) -> None:
    for seed in range(start, start + 40):
        case = config_case(seed, GROUP, ODD.msp_id, ISSUER)
        config = config_of(case.edited)
        for member in MEMBERS[1:]:
            assert config.msps.validate(member.client.identity.serialized, NOW).msp_id == member.msp_id
        assert all(place.startswith(("MSP Org1MSP", "policy /Channel")) for place in config.unreadable)
        described = [
            *describe_difference(GROUP, case.edited),
            *inspect_channel(config, None, {}, NOW).sections,
        ]
        assert described
        try:
            check_group(case.edited, GROUP)
        except InvalidInputError:
            continue  # nobody would send it, and orderers that take it have taken it before the others change theirs
        finally:
            again = set_batch(case.edited, BatchParameters(10, 1 << 20, 1 << 20, 1.0))
        assert config_of(again).batch.max_message_count == 10

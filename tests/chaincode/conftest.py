"""A consortium on an in-memory ledger, with two issuers registered where a test asks for them."""

from __future__ import annotations

import pytest
from tests.support.anchors_ledger import Consortium, IssuingParty, Ledger


@pytest.fixture
def consortium() -> Consortium:
    return Consortium()


@pytest.fixture
def ledger(consortium: Consortium) -> Ledger:
    return consortium.ledger


@pytest.fixture
async def city(consortium: Consortium) -> IssuingParty:
    """The registered issuer of most tests."""
    return await consortium.register("iizuka-city", "IizukaMSP")


@pytest.fixture
async def academy(consortium: Consortium) -> IssuingParty:
    """Another registered issuer, of another member."""
    return await consortium.register("haw-academy", "HawMSP")

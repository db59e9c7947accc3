"""Who may ask: policies over signers, in Fabric's words."""

from __future__ import annotations

import pytest
from tests.support.consortium import CHANNEL, Consortium
from tests.support.throwaway_ca import EXPIRED, NOW

from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.msp import Role
from shirushi_core.fabric.policy import SignedData
from shirushi_node.ledger.access import READERS, AccessDeniedError, check_local, check_signed_data


def signed(signer: SigningIdentity, data: bytes = b"request") -> SignedData:
    return SignedData(data, signer.identity.serialized, signer.sign(data))


def test_policies_do_not_look_at_expiry(consortium: Consortium) -> None:
    expired = consortium.members[0].ca.issue("client", not_after=EXPIRED)
    check_signed_data(consortium.config, CHANNEL, READERS, signed(expired))


def test_policies_look_at_signatures(consortium: Consortium) -> None:
    forged = SignedData(b"request", consortium.client.identity.serialized, b"forged")
    with pytest.raises(AccessDeniedError, match=r"^Failed evaluating policy on signed data"):
        check_signed_data(consortium.config, CHANNEL, READERS, forged)


def test_who_is_no_admin_is_told_so(consortium: Consortium) -> None:
    client = consortium.client.identity
    with pytest.raises(AccessDeniedError) as caught:
        check_local(consortium.config, client.msp_id, Role.ADMIN, client.serialized, NOW)
    assert str(caught.value) == (
        "Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with "
        "policy [Admins]: [The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU "
        "[ADMIN], MSP: [Org1MSP]]"
    )

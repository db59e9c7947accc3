from __future__ import annotations

import pytest
from fabric_protos.msp import identities_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.signing import verify


def test_an_identity_survives_serialization(ca: ThrowawayCa) -> None:
    identity = ca.issue("client").identity
    assert Identity.from_serialized(identity.serialized) == identity
    message = identities_pb2.SerializedIdentity.FromString(identity.serialized)
    assert (message.mspid, message.id_bytes) == (identity.msp_id, identity.certificate_pem)


def test_the_certificate_is_parsed_once(ca: ThrowawayCa) -> None:
    identity = ca.issue("client").identity
    assert identity.certificate is Identity.from_serialized(identity.serialized).certificate


def test_a_signing_identity_signs_for_its_certificate(ca: ThrowawayCa) -> None:
    signer = ca.issue("client")
    key = signer.identity.certificate.key
    verify(key, signer.sign(b"message"), b"message")  # type: ignore[arg-type]


def test_a_signing_identity_never_shows_its_key(ca: ThrowawayCa) -> None:
    assert "key" not in repr(ca.issue("client"))


@given(data=st.binary(max_size=100))
def test_noise_gives_an_identity_or_a_typed_error(data: bytes) -> None:
    try:
        identity = Identity.from_serialized(data)
    except InvalidInputError:
        return
    with pytest.raises(InvalidInputError):
        _ = identity.certificate


@pytest.mark.parametrize(("msp_id", "certificate"), [("", b"x"), ("Org1MSP", b"")])
def test_an_identity_names_its_msp_and_holds_a_certificate(msp_id: str, certificate: bytes) -> None:
    with pytest.raises(InvalidInputError):
        Identity.from_serialized(Identity(msp_id, certificate).serialized)

"""Batch statements, seals and anchors."""

from __future__ import annotations

import dataclasses
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement, is_test_ledger
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.seal import Seal, SealError, make_seal, seal_input, verify_seal

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_the_batch_id_is_the_documented_hash(batch):
    statement = batch.anchor.statement
    identity = {
        "document_type": "income-certificate",
        "issuer": "iizuka-city",
        "ledger": "shirushi-test",
        "root": statement.root.hex(),
        "size": 5,
    }
    assert statement.batch_id == sha256(b"shirushi/batch-id/v1\0" + encode(identity)).digest()


def test_the_batch_id_does_not_depend_on_validity(batch):
    statement = batch.anchor.statement
    assert dataclasses.replace(statement, valid_from=0, valid_until=None).batch_id == statement.batch_id


@pytest.mark.parametrize(
    "change",
    [{"ledger": "x"}, {"issuer": "x"}, {"document_type": "x"}, {"root": bytes(32)}, {"size": 6}],
    ids=str,
)
def test_the_batch_id_depends_on_everything_else(batch, change):
    assert dataclasses.replace(batch.anchor.statement, **change).batch_id != batch.anchor.statement.batch_id


def test_statements_and_anchors_survive_their_json(batch):
    statement = batch.anchor.statement
    open_ended = dataclasses.replace(statement, valid_until=None)
    assert BatchStatement.from_json(statement.to_json()) == statement
    assert BatchStatement.from_json(open_ended.to_json()) == open_ended
    assert IssuanceAnchor.from_json(batch.anchor.to_json()) == batch.anchor


@pytest.mark.parametrize("issuer", ["", "-city", "City", "飯塚市", "a" * 65, "a b", "a\n"])
def test_ill_formed_identifiers_are_refused(batch, issuer):
    with pytest.raises(InvalidInputError, match="issuer"):
        dataclasses.replace(batch.anchor.statement, issuer=issuer)


@pytest.mark.parametrize(("ledger", "test"), [("shirushi-test", True), ("shirushi", False), ("test", False)])
def test_a_test_ledger_is_known_by_its_name(ledger, test):
    assert is_test_ledger(ledger) is test


def test_a_seal_holds_over_its_own_statement_only(batch, other_batch):
    anchor = batch.anchor
    assert verify_seal(anchor.statement, anchor.seal, batch.public_key) is anchor.statement
    with pytest.raises(SealError, match="not over batch"):
        verify_seal(other_batch.anchor.statement, anchor.seal, batch.public_key)
    with pytest.raises(SealError, match="not over batch"):
        verify_seal(dataclasses.replace(anchor.statement, valid_until=None), anchor.seal, batch.public_key)


def test_a_seal_signs_the_documented_bytes(batch):
    statement = batch.anchor.statement
    assert seal_input(statement) == b"shirushi/seal/v1\0" + encode(statement.to_json())


def test_a_seal_is_refused_under_another_key(batch):
    other = ec.derive_private_key(7, ec.SECP256R1())
    der = other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(SealError, match="another"):
        verify_seal(batch.anchor.statement, batch.anchor.seal, der)
    forged = dataclasses.replace(batch.anchor.seal, key_id=sha256(der).digest())
    with pytest.raises(SealError, match="not over"):
        verify_seal(batch.anchor.statement, forged, der)


def test_every_seal_is_low_s_and_its_high_s_twin_is_refused(batch, sealing_key):
    for _ in range(20):
        seal = make_seal(batch.anchor.statement, sealing_key)
        r, s = decode_dss_signature(seal.signature)
        assert s <= ORDER // 2
    twin = dataclasses.replace(seal, signature=encode_dss_signature(r, ORDER - s))
    with pytest.raises(SealError, match="low-S"):
        verify_seal(batch.anchor.statement, twin, batch.public_key)


@pytest.mark.parametrize(
    "key", [ec.derive_private_key(7, ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()]
)
def test_a_seal_under_a_key_of_another_kind_is_refused(batch, key):
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    seal = dataclasses.replace(batch.anchor.seal, key_id=sha256(der).digest())
    with pytest.raises(SealError, match="P-256"):
        verify_seal(batch.anchor.statement, seal, der)


def test_a_key_on_another_curve_cannot_seal(batch):
    with pytest.raises(SealError, match="P-256"):
        make_seal(batch.anchor.statement, ec.derive_private_key(7, ec.SECP384R1()))


def test_a_key_that_is_no_key_is_refused(batch):
    seal = dataclasses.replace(batch.anchor.seal, key_id=sha256(b"junk").digest())
    with pytest.raises(SealError, match="P-256"):
        verify_seal(batch.anchor.statement, seal, b"junk")


@given(st.binary(min_size=1, max_size=72))
def test_arbitrary_signatures_are_refused_with_a_seal_error(batch, signature):
    with pytest.raises(SealError):
        verify_seal(
            batch.anchor.statement,
            dataclasses.replace(batch.anchor.seal, signature=signature),
            batch.public_key,
        )


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_a_statement_with_any_field_replaced_by_junk_is_refused_or_the_same(batch, data):
    value = batch.anchor.to_json()
    value["statement"] = dict(value["statement"])
    field = data.draw(st.sampled_from(sorted(value["statement"])))
    value["statement"][field] = data.draw(JUNK)
    try:
        parsed = IssuanceAnchor.from_json(value)
    except ShirushiError:
        return
    assert parsed.to_json() == value


@given(JUNK)
def test_junk_is_no_statement_seal_or_anchor(junk):
    for kind in (BatchStatement, Seal, IssuanceAnchor):
        with pytest.raises(InvalidInputError):
            kind.from_json(junk)

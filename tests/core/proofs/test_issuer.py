"""Issuer records: strict form, and keys judged by use and window."""

from __future__ import annotations

import dataclasses
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.issuer import IssuerKey, IssuerRecord, IssuerState, KeyUse


def spki(key) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


P256 = spki(ec.derive_private_key(1, ec.SECP256R1()))
P384 = spki(ec.derive_private_key(2, ec.SECP384R1()))
ED25519 = spki(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
SECP256K1 = spki(ec.derive_private_key(2, ec.SECP256K1()))


@pytest.fixture
def record() -> IssuerRecord:
    keys = [
        IssuerKey(KeyUse.SEAL, P256, 100, 200),
        IssuerKey(KeyUse.SUBMIT, P384, 150, 300),
        IssuerKey(KeyUse.SUBMIT, ED25519, 150, 300),
    ]
    return IssuerRecord(
        id="iizuka-city",
        msp_id="IizukaMSP",
        name_ja="飯塚市",
        name_en="Iizuka City",
        sequence=1,
        state=IssuerState.ACTIVE,
        keys=tuple(sorted(keys, key=lambda key: (key.use, key.key_id))),
    )


def test_a_record_survives_its_json(record):
    assert IssuerRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(("at", "found"), [(99, False), (100, True), (200, True), (201, False)])
def test_a_key_counts_from_the_first_to_the_last_second_of_its_window(record, at, found):
    key = record.keys[0]
    assert (record.key_at(KeyUse.SEAL, key.key_id, at) == key) is found


def test_a_key_counts_for_its_own_use_only(record):
    assert record.key_at(KeyUse.SUBMIT, record.keys[0].key_id, 150) is None
    assert record.key_at(KeyUse.SEAL, bytes(32), 150) is None


@pytest.mark.parametrize("der", [P384, ED25519, SECP256K1, b"", b"junk", P256 + b"\0"])
def test_a_seal_key_is_p256_and_nothing_else(der):
    with pytest.raises(InvalidInputError, match="seal key"):
        IssuerKey(KeyUse.SEAL, der, 0, 1)


@pytest.mark.parametrize("der", [SECP256K1, b"junk"])
def test_a_submit_key_is_one_that_fabric_identities_use(der):
    with pytest.raises(InvalidInputError, match="submit key"):
        IssuerKey(KeyUse.SUBMIT, der, 0, 1)


def test_a_window_cannot_end_before_it_begins():
    with pytest.raises(InvalidInputError, match="not_after"):
        IssuerKey(KeyUse.SEAL, P256, 2, 1)


def test_keys_are_sorted_and_each_there_once(record):
    for keys in (record.keys[::-1], record.keys + record.keys[-1:]):
        with pytest.raises(InvalidInputError, match="sorted"):
            dataclasses.replace(record, keys=keys)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "Iizuka"),
        ("msp_id", ""),
        ("name", {"ja": "飯塚市"}),
        ("name", {"ja": "飯塚市", "en": ""}),
        ("name", {"ja": "飯塚市", "en": "a\nb"}),
        ("sequence", 0),
        ("state", "gone"),
        ("keys", [{}]),
        ("keys", None),
        ("unknown", 1),
    ],
)
def test_malformed_records_are_refused(record, field, value):
    with pytest.raises(InvalidInputError):
        IssuerRecord.from_json(record.to_json() | {field: value})


def test_a_record_lists_the_document_types_that_its_issuer_may_issue(record):
    listed = dataclasses.replace(record, document_types=("income-certificate", "resident-record"))
    assert IssuerRecord.from_json(json.loads(json.dumps(listed.to_json()))) == listed
    assert listed.may_issue("resident-record")
    assert not listed.may_issue("tax-certificate")
    assert not dataclasses.replace(record, document_types=()).may_issue("resident-record")


def test_a_record_from_before_there_were_lists_keeps_its_bytes_and_may_issue_any_type(record):
    assert record.document_types is None
    assert sorted(record.to_json()) == ["id", "keys", "msp_id", "name", "sequence", "state"]
    assert record.may_issue("resident-record")


@pytest.mark.parametrize(
    "types",
    [
        None,
        "resident-record",
        {},
        [1],
        [None],
        [""],
        ["Resident"],
        ["a" * 65],
        ["b", "a"],
        ["a", "a"],
        [f"type-{n:02}" for n in range(65)],
    ],
)
def test_document_types_are_at_most_64_ids_sorted_and_each_there_once(record, types):
    with pytest.raises(InvalidInputError, match="document_types"):
        IssuerRecord.from_json(record.to_json() | {"document_types": types})
    many = [f"type-{n:02}" for n in range(64)]
    assert IssuerRecord.from_json(record.to_json() | {"document_types": many}).document_types == tuple(many)


def test_a_key_id_that_is_not_the_public_keys_is_refused(record):
    value = record.keys[0].to_json() | {"key_id": "00" * 32}
    with pytest.raises(InvalidInputError, match="key_id"):
        IssuerKey.from_json(value)

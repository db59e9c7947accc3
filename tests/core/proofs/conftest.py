"""A deterministic batch, its anchor and receipts, for the proofs' tests."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shirushi_core.proofs import merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.commitment import commitment
from shirushi_core.proofs.receipt import Receipt
from shirushi_core.proofs.seal import Seal, make_seal


@dataclass(frozen=True)
class Batch:
    """A sealed batch with the receipts of its certificates."""

    public_key: bytes
    anchor: IssuanceAnchor
    receipts: list[Receipt]


def public_key_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def build_batch(size: int, *, seal: Seal | None = None) -> Batch:
    key = ec.derive_private_key(0x5EA1, ec.SECP256R1())
    salts = [sha256(b"salt %d" % n).digest() for n in range(size)]
    documents = [f"所得証明書 {n}".encode() for n in range(size)]
    digests = [sha256(document).digest() for document in documents]
    root, paths = merkle.root_and_paths([commitment(*pair) for pair in zip(salts, digests, strict=True)])
    statement = BatchStatement(
        ledger="shirushi-test",
        issuer="iizuka-city",
        document_type="income-certificate",
        root=root,
        size=size,
        valid_from=1_790_000_000,
        valid_until=1_798_000_000,
    )
    anchor = IssuanceAnchor(
        statement=statement,
        seal=seal or make_seal(statement, key),
        anchored_at=1_790_000_060,
        tx_id=sha256(b"transaction").hexdigest(),
        issuer_sequence=1,
    )
    receipts = [
        Receipt(
            salt=salts[n],
            certificate_sha256=digests[n],
            certificate_size=len(documents[n]),
            index=n,
            path=tuple(paths[n]),
            anchor=anchor,
        )
        for n in range(size)
    ]
    return Batch(public_key=public_key_of(key), anchor=anchor, receipts=receipts)


@pytest.fixture(scope="session")
def sealing_key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(0x5EA1, ec.SECP256R1())


@pytest.fixture(scope="session")
def batch() -> Batch:
    return build_batch(5)


@pytest.fixture(scope="session")
def other_batch() -> Batch:
    return build_batch(3)


@pytest.fixture(scope="session")
def single_receipt() -> Receipt:
    return build_batch(1).receipts[0]

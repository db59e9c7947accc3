"""Receipts of the five members on paper: complete, refreshed later, revoked, and whatever a liar makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.paper_log import BEGIN, LEDGER, MEMBERS, SEAL_KEY, PaperLog, issuer_record

from shirushi_client.hashing import FileDigest, digest_bytes
from shirushi_client.issuer.batch import checked_receipts, seal_batch
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.receipt import BatchEvidence, Receipt
from shirushi_core.proofs.status import Reason, Status, StatusRecord, Successor

ANCHORED = BEGIN + 100
SIGNED = BEGIN + 120
NOW = BEGIN + 3600


def certificate(number: int) -> bytes:
    return b"certificate %d" % number


def digest(number: int = 0) -> FileDigest:
    return digest_bytes(certificate(number))


def bare_receipts(
    count: int = 3,
    *,
    ledger: str = LEDGER,
    anchored_at: int = ANCHORED,
    key: ec.EllipticCurvePrivateKey = SEAL_KEY,
    **changes: Any,
) -> list[Receipt]:
    """Receipts of one batch as they are before anything is logged; always the same for the same arguments."""
    options: dict[str, Any] = {"document_type": "income", "valid_from": BEGIN, "valid_until": BEGIN + 100_000}
    salts = b"".join(sha256(b"salt %d" % number).digest() for number in range(count))
    batch = seal_batch(
        [digest(number) for number in range(count)],
        salts,
        ledger=ledger,
        issuer="iizuka-city",
        key=key,
        **(options | changes),
    )
    anchor = IssuanceAnchor(batch.statement, batch.seal, anchored_at, "0" * 64, 1)
    return [
        Receipt.from_bytes(data) for data in checked_receipts(batch, anchor, BatchEvidence(), range(count))
    ]


@dataclass
class PaperCity:
    """A log with one batch in it, and receipts with evidence from it."""

    receipts: list[Receipt] = field(default_factory=bare_receipts)
    record: IssuerRecord = field(default_factory=issuer_record)
    log: PaperLog = field(default_factory=PaperLog)

    def __post_init__(self) -> None:
        self.log.add_block(issuers=[self.record])
        self.log.add_block(anchors=[self.receipts[0].anchor])
        self.anchored_size = len(self.log.entries)

    @property
    def anchor(self) -> IssuanceAnchor:
        return self.receipts[0].anchor

    def head(
        self,
        at: int = SIGNED,
        members: tuple[str, ...] = MEMBERS[:3],
        *,
        size: int | None = None,
        quorum: bool = False,
    ) -> Head:
        return self.log.head(at, members, size=size, quorum=quorum)

    def receipt(
        self,
        number: int = 0,
        *,
        head: Head | None = None,
        status_head: Head | None = None,
        issuer: bool = True,
    ) -> Receipt:
        """A complete receipt: under the head after its batch, with the status of `status_head`, else of the same head."""
        bare = self.receipts[number]
        head = head or self.head(size=self.anchored_size, quorum=True)
        size = (status_head or head).checkpoint.size
        return replace(
            bare,
            log=self.log.log_evidence(bare.anchor, head, self.record if issuer else None),
            status=self.log.status_evidence(
                bare.anchor.statement.batch_id, bare.commitment, status_head, size
            ),
        )

    def change(
        self, status: Status, number: int | None = 0, *, effective_at: int = BEGIN + 1000
    ) -> StatusRecord:
        """Log a status of a certificate, or with None of the whole batch."""
        record = StatusRecord(
            status=status,
            reason=Reason.DATA_CORRECTED,
            effective_at=effective_at,
            changed_at=BEGIN + 1000,
            change_id=f"change-{len(self.log.entries)}",
            tx_id="1" * 64,
            batch_id=self.anchor.statement.batch_id,
            commitment=None if number is None else self.receipts[number].commitment,
            successor=Successor(bytes(32), bytes(32)) if status is Status.SUPERSEDED else None,
        )
        self.log.add_block(records=[record])
        return record

    def refreshed(
        self, number: int = 0, *, at: int = BEGIN + 2000, members: tuple[str, ...] = MEMBERS[:3]
    ) -> Receipt:
        """A receipt whose status is of the newest head, on a log that knows of the time at which it is signed."""
        self.log.tick(at)
        return self.receipt(number, status_head=self.head(at, members))

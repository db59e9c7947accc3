"""What members confirmed of a batch, as the issuer keeps it and puts it into receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shirushi_client.evidence_gathering import Gathered
from shirushi_core.proofs import fields
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.log_evidence import LogEvidence, StatusEvidence
from shirushi_core.proofs.receipt import BatchEvidence

_FIELDS = frozenset({"log", "members", "quorum", "status"})


class EvidenceSource(Protocol):
    """Where an issuer gathers what members confirm (`EvidenceGatherer`)."""

    async def of_batch(self, anchor: IssuanceAnchor) -> Gathered:
        """Return what members confirm of a batch, however little that is."""


@dataclass(frozen=True, slots=True)
class ConfirmedEvidence:
    """Evidence about a batch, the members that confirmed it, and how many were needed then."""

    log: LogEvidence | None
    status: StatusEvidence | None
    members: tuple[str, ...]
    quorum: int

    @property
    def is_complete(self) -> bool:
        """Whether receipts with it can be verified offline."""
        return self.log is not None and len(self.members) >= self.quorum

    @property
    def text(self) -> BatchEvidence:
        """The evidence as it stands in receipts."""
        return BatchEvidence.of(self.log, self.status)

    def to_bytes(self) -> bytes:
        """Return canonical {"log", "members", "quorum", "status"}."""
        return encode(
            {
                "log": None if self.log is None else self.log.to_json(),
                "members": list(self.members),
                "quorum": self.quorum,
                "status": None if self.status is None else self.status.to_json(),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ConfirmedEvidence:
        """Parse strictly; raises InvalidInputError."""
        members = fields.an_object(decode(data), "evidence", _FIELDS)
        log, status = members["log"], members["status"]
        who = fields.an_array(members["members"], "evidence: members", 0, 64)
        return cls(
            None if log is None else LogEvidence.from_json(log),
            None if status is None else StatusEvidence.from_json(status),
            tuple(fields.a_text(each, "evidence: member") for each in who),
            fields.an_integer(members["quorum"], "evidence: quorum"),
        )

    @classmethod
    def of(cls, gathered: Gathered) -> ConfirmedEvidence:
        """Keep what was gathered."""
        return cls(gathered.log, gathered.status, gathered.members, gathered.quorum)


NOT_CONFIRMED = ConfirmedEvidence(None, None, (), 0)
"""Of a batch that nobody was asked about."""

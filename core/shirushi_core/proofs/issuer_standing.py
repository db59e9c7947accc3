r"""What the status tree says of an issuer: its newest record, under the same root as the statuses of its certificates.

An issuer's key in the status tree is SHA-256("shirushi/status-issuer/v1\0" ‖ id), the value SHA-256 of its newest record's canonical
JSON, or of a mark's. So whoever looks at a certificate's status also sees what the members have made of its issuer since.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.status_tree import StatusProof, verify_status
from shirushi_core.proofs.unjudged import Mark, is_mark, issuer_key

MAX_PROOF_BYTES = 16 * 1024

STANDING_FIELDS = frozenset({"proof", "record"})
_DOMAIN = b"shirushi/status-issuer/v1\0"


@dataclass(frozen=True, slots=True)
class IssuerStanding:
    """An issuer's newest record (None: it has none), or the mark in its place, and the proof's bytes.

    JSON: {"proof": hex, "record": {...}|null}.
    """

    proof: bytes
    record: IssuerRecord | Mark | None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "proof": self.proof.hex(),
            "record": None if self.record is None else self.record.to_json(),
        }

    @classmethod
    def from_json(cls, value: Json) -> IssuerStanding:
        """Parse strictly; raises InvalidInputError."""
        where = "issuer standing"
        members = fields.an_object(value, where, STANDING_FIELDS)
        return cls(
            fields.hex_bytes(members["proof"], f"{where}: proof", high=MAX_PROOF_BYTES),
            read_standing(members["record"]),
        )


def standing_key(issuer_id: str) -> bytes:
    """Return an issuer's key in the status tree."""
    return sha256(_DOMAIN + issuer_id.encode()).digest()


def standing_hash(record: IssuerRecord | Mark) -> bytes:
    """Return SHA-256 of a record's canonical JSON."""
    return sha256(encode(record.to_json())).digest()


def read_standing(value: Json) -> IssuerRecord | Mark | None:
    """Parse an issuer's record, or the mark in its place, strictly; raises InvalidInputError."""
    if value is None:
        return None
    return Mark.from_json(value) if is_mark(value) else IssuerRecord.from_json(value)


def verify_standing(standing: IssuerStanding, root: bytes, issuer_id: str) -> IssuerRecord | Mark | None:
    """Return what a status tree with this root says of an issuer; raises ProofError, InvalidInputError."""
    key, record = standing_key(issuer_id), standing.record
    proved = verify_status(StatusProof.from_bytes(standing.proof, key), root, key)
    if (None if record is None else standing_hash(record)) != proved:
        raise ProofError("issuer standing: the record beside the proof is not the one that is proved")
    about = (issuer_key(issuer_id),)
    if isinstance(record, Mark) and record.keys != about:
        raise ProofError("issuer standing: the mark is about something else")
    if isinstance(record, IssuerRecord) and record.id != issuer_id:
        raise ProofError("issuer standing: the record is another issuer's")
    return record

"""How an issuer's record comes about, as the log has it: proposed, and approved by members' admins until a majority is there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.issuer import IssuerRecord

_ID_DOMAIN = b"shirushi/issuer-proposal/v1\0"
_FIELDS = frozenset({"proposal_id", "proposed_at", "proposed_by", "record", "state"})


class LoggedState(StrEnum):
    """Where a proposal stood when it was written."""

    OPEN = "open"
    ADOPTED = "adopted"


@dataclass(frozen=True, slots=True)
class IssuerProposal:
    """A proposed record. JSON: {"proposal_id": hex, "proposed_at": unix s, "proposed_by": MSP id, "record", "state"}."""

    record: IssuerRecord
    proposed_by: str
    proposed_at: int
    state: LoggedState

    def __post_init__(self) -> None:
        fields.check_msp_id(self.proposed_by, "proposal: proposed_by")
        fields.check_time(self.proposed_at, "proposal: proposed_at")

    @property
    def proposal_id(self) -> bytes:
        """The id, which the record alone gives."""
        return proposal_id(self.record)

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "proposal_id": self.proposal_id.hex(),
            "proposed_at": self.proposed_at,
            "proposed_by": self.proposed_by,
            "record": self.record.to_json(),
            "state": self.state.value,
        }

    @classmethod
    def from_json(cls, value: Json) -> IssuerProposal:
        """Parse strictly; raises InvalidInputError, also when proposal_id is not that of the record."""
        what = "proposal"
        members = fields.an_object(value, what, _FIELDS)
        proposal = cls(
            record=IssuerRecord.from_json(members["record"]),
            proposed_by=fields.a_text(members["proposed_by"], f"{what}: proposed_by"),
            proposed_at=fields.an_integer(members["proposed_at"], f"{what}: proposed_at"),
            state=fields.a_member(members["state"], f"{what}: state", LoggedState),
        )
        claimed = fields.hash_bytes(members["proposal_id"], f"{what}: proposal_id")
        if claimed != proposal.proposal_id:
            raise InvalidInputError(
                f"{what}: proposal_id: expected {proposal.proposal_id.hex()} by its record, found {claimed.hex()}"
            )
        return proposal


@dataclass(frozen=True, slots=True)
class IssuerVote:
    """A member's approval of a proposal, or the withdrawal of one (`given` False)."""

    proposal_id: bytes
    msp_id: str
    tx_id: str
    given: bool

    def __post_init__(self) -> None:
        fields.check_hash(self.proposal_id, "approval: proposal_id")
        fields.check_msp_id(self.msp_id, "approval: msp_id")
        fields.check_tx_id(self.tx_id, "approval: tx_id")


def proposal_id(record: IssuerRecord) -> bytes:
    r"""Return SHA-256("shirushi/issuer-proposal/v1\0" ‖ canonical record): who proposes it does not matter."""
    return sha256(_ID_DOMAIN + encode(record.to_json())).digest()

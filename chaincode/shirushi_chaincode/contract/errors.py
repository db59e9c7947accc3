"""The contract's refusals: a stable code and a sentence."""

from __future__ import annotations

from enum import StrEnum

from shirushi_core.errors import ShirushiError


class Code(StrEnum):
    """Every code the contract answers with; docs/formats/contract.md says when."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    UNKNOWN_FUNCTION = "UNKNOWN_FUNCTION"
    CLOCK_SKEW = "CLOCK_SKEW"
    TRANSACTION_EXPIRED = "TRANSACTION_EXPIRED"
    INVALID_CREATOR = "INVALID_CREATOR"
    LEDGER_MISMATCH = "LEDGER_MISMATCH"
    ISSUER_NOT_FOUND = "ISSUER_NOT_FOUND"
    ISSUER_RETIRED = "ISSUER_RETIRED"
    NOT_ISSUER = "NOT_ISSUER"
    DOCUMENT_TYPE_REFUSED = "DOCUMENT_TYPE_REFUSED"
    VALID_FROM_REFUSED = "VALID_FROM_REFUSED"
    KEY_NOT_IN_WINDOW = "KEY_NOT_IN_WINDOW"
    SEAL_KEY_REFUSED = "SEAL_KEY_REFUSED"
    SEAL_INVALID = "SEAL_INVALID"
    BATCH_EXISTS = "BATCH_EXISTS"
    BATCH_NOT_FOUND = "BATCH_NOT_FOUND"
    NOT_BATCH_ISSUER = "NOT_BATCH_ISSUER"
    PROOF_INVALID = "PROOF_INVALID"
    STATUS_REFUSED = "STATUS_REFUSED"
    EFFECTIVE_AT_REFUSED = "EFFECTIVE_AT_REFUSED"
    SUCCESSOR_REFUSED = "SUCCESSOR_REFUSED"
    CHANGE_EXISTS = "CHANGE_EXISTS"
    MEMBERS_UNKNOWN = "MEMBERS_UNKNOWN"
    NOT_MEMBER_ADMIN = "NOT_MEMBER_ADMIN"
    SEQUENCE_MISMATCH = "SEQUENCE_MISMATCH"
    KEY_DROPPED = "KEY_DROPPED"
    PROPOSAL_NOT_FOUND = "PROPOSAL_NOT_FOUND"
    PROPOSAL_ADOPTED = "PROPOSAL_ADOPTED"
    PROPOSAL_STALE = "PROPOSAL_STALE"
    INTERNAL = "INTERNAL"


class ContractError(ShirushiError):
    """A transaction that the rules refuse; its text is "CODE: sentence" and nothing is written."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence

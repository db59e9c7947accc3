"""What can go wrong between a client and the ledger.

LedgerError
 ├─ ContractError            the contract's rules refused: a stable code and a sentence
 ├─ LedgerUnreachableError   no answer, or none that says what happened; asking again is safe
 ├─ LedgerRefusedError       a peer or the network's rules refused: an identity, a transaction
 └─ LedgerAnswerError        an answer that is not what the contract's interface says
"""

from __future__ import annotations

from shirushi_core.errors import ShirushiError

BATCH_NOT_FOUND = "BATCH_NOT_FOUND"
"""The contract's code for a batch id that it has no anchor of."""

ISSUER_NOT_FOUND = "ISSUER_NOT_FOUND"
"""The contract's code for an issuer that is not registered."""

PROPOSAL_NOT_FOUND = "PROPOSAL_NOT_FOUND"
"""The contract's code for an issuer proposal that nobody made, or that this peer has yet to hear of."""


class LedgerError(ShirushiError):
    """The ledger did not do what was asked."""


class ContractError(LedgerError):
    """The contract refused; `code` is stable, `sentence` is for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(f"the ledger refused: {sentence} ({code})")
        self.code = code
        self.sentence = sentence


class LedgerUnreachableError(LedgerError):
    """No answer, or none that says what happened; what was asked may or may not be done, and may be asked again."""


class LedgerRefusedError(LedgerError):
    """A peer refused the request or the identity that made it, or marked the transaction invalid."""


class LedgerAnswerError(LedgerError):
    """An answer that the contract's interface does not allow."""

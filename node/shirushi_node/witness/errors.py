"""What can go wrong at a witness.

WitnessError
 ├─ BlockCheckError   a block of the peer that does not hold
 ├─ DerivationError   a valid transaction whose event the contract cannot have made
 ├─ LogStoreError     the witness's own folder: in use, damaged, of another ledger
 ├─ DeliverError      the peer cannot be reached, or refuses to deliver
 └─ ServerError       the witness cannot be served at its address
"""

from __future__ import annotations

from shirushi_core.errors import ShirushiError


class WitnessError(ShirushiError):
    """Base of a witness's errors."""


class BlockCheckError(WitnessError):
    """A block that is not the next one of this channel, or not signed by its orderers; the text names the block."""


class DerivationError(WitnessError):
    """A valid transaction of the anchors contract that is not what the contract makes; the text names it.

    The log would differ from what members see on the ledger: the witness stops, and somebody has to look.
    """


class LogStoreError(WitnessError):
    """A witness's folder that cannot be opened or written, is in use, damaged, or of another ledger."""


class DeliverError(WitnessError):
    """The peer does not deliver blocks: not reached, refusing, or answering with something else."""


class ServerError(WitnessError):
    """An address at which the witness cannot be served."""

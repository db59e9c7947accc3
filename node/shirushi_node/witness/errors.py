"""What can go wrong at a witness.

WitnessError
 ├─ UnknownRulesError  a block that is to be derived by rules which this program does not know
 ├─ LogStoreError      the witness's own folder: in use, damaged, of another ledger, or it cannot be written
 ├─ DeliverError       the peer cannot be reached, refuses to deliver, or delivers something else than the next block
 ├─ TickError          the peer's gateway did not take a tick
 └─ ServerError        the witness cannot be served at its address
"""

from __future__ import annotations

from shirushi_core.errors import ShirushiError


class WitnessError(ShirushiError):
    """Base of a witness's errors."""


class UnknownRulesError(WitnessError):
    """A block from which on logs are derived by rules that this program does not know; the text says which are needed."""


class LogStoreError(WitnessError):
    """A witness's folder that cannot be opened or written, is in use, damaged, or of another ledger."""


class DeliverError(WitnessError):
    """The peer does not deliver blocks: not reached, refusing, or answering with something else."""


class TickError(WitnessError):
    """A tick that did not become a transaction; the text says why."""


class ServerError(WitnessError):
    """An address at which the witness cannot be served."""

"""Where a reader of events has got to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Checkpoint(Protocol):
    """A position in the ledger to resume from; any object with these two will do."""

    @property
    def block_number(self) -> int | None:
        """The block to resume in; None if nothing was recorded yet."""
        ...

    @property
    def transaction_id(self) -> str | None:
        """The last transaction of that block that was dealt with; None to resume at the block's start."""
        ...


@dataclass(frozen=True, slots=True)
class CheckpointState:
    """A position as a value."""

    block_number: int | None = None
    transaction_id: str | None = None

    @classmethod
    def after_block(cls, block_number: int) -> CheckpointState:
        """Return the position after a whole block: the start of the next one."""
        return cls(block_number + 1)

    @classmethod
    def after_transaction(cls, block_number: int, transaction_id: str) -> CheckpointState:
        """Return the position after one transaction of a block."""
        return cls(block_number, transaction_id)

"""Checkpointers, without asyncio."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Protocol

from shirushi_client.gateway.chaincode_events import ChaincodeEvent
from shirushi_client.gateway.checkpoint import Checkpoint, CheckpointState
from shirushi_client.gateway.checkpoint_file import CheckpointFile


class Checkpointer(Checkpoint, Protocol):
    """A checkpoint that can be moved on; any object with these methods will do."""

    def checkpoint_block(self, block_number: int) -> None:
        """Record that a whole block was dealt with."""
        ...

    def checkpoint_transaction(self, block_number: int, transaction_id: str) -> None:
        """Record that a transaction was dealt with, and all before it."""
        ...

    def checkpoint_chaincode_event(self, event: ChaincodeEvent) -> None:
        """Record that a chaincode event was dealt with, and all before it."""
        ...


class InMemoryCheckpointer:
    """A checkpointer for as long as the process runs."""

    def __init__(self) -> None:
        self._state = CheckpointState()

    @property
    def block_number(self) -> int | None:
        return self._state.block_number

    @property
    def transaction_id(self) -> str | None:
        return self._state.transaction_id

    def checkpoint_block(self, block_number: int) -> None:
        self._state = CheckpointState.after_block(block_number)

    def checkpoint_transaction(self, block_number: int, transaction_id: str) -> None:
        self._state = CheckpointState.after_transaction(block_number, transaction_id)

    def checkpoint_chaincode_event(self, event: ChaincodeEvent) -> None:
        self.checkpoint_transaction(event.block_number, event.transaction_id)


class FileCheckpointer:
    """A checkpointer that survives the process, in a file of its own. Open it with `FileCheckpointer.open(path)`.

    Each method returns when the position is on the disk, and raises CheckpointError if it cannot get there.
    """

    def __init__(self, file: CheckpointFile) -> None:
        self._file = file

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> FileCheckpointer:
        """Read the file, or create it; raises CheckpointError for a file that is not a checkpoint."""
        return cls(CheckpointFile.open(path))

    @property
    def block_number(self) -> int | None:
        return self._file.state.block_number

    @property
    def transaction_id(self) -> str | None:
        return self._file.state.transaction_id

    def checkpoint_block(self, block_number: int) -> None:
        self._file.save(CheckpointState.after_block(block_number))

    def checkpoint_transaction(self, block_number: int, transaction_id: str) -> None:
        self._file.save(CheckpointState.after_transaction(block_number, transaction_id))

    def checkpoint_chaincode_event(self, event: ChaincodeEvent) -> None:
        self.checkpoint_transaction(event.block_number, event.transaction_id)

    def close(self) -> None:
        """Refuse later saves."""
        self._file.close()

    def __enter__(self) -> FileCheckpointer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""A checkpoint in a file: `{"blockNumber":"12","transactionId":"..."}`, as the Node client writes it.

Saving replaces the file in one step and reaches the disk before it returns. A crash leaves the old position or the
new one, never a mixture.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from shirushi_client.gateway.checkpoint import CheckpointState
from shirushi_client.gateway.errors import CheckpointError
from shirushi_client.gateway.start_position import MAX_BLOCK_NUMBER
from shirushi_client.whole_files import write_whole

MAX_FILE_BYTES = 4096
"""A longer file is no checkpoint."""


class CheckpointFile:
    """The position in one file. Methods block on the disk and may be called from any thread, one writer at a time."""

    def __init__(self, path: Path, state: CheckpointState) -> None:
        self._path = path
        self._state = state
        self._closed = False
        self._writing = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> CheckpointFile:
        """Read a checkpoint file, or create an empty one where there is none.

        Raises CheckpointError if the file is not a checkpoint, or cannot be read or written.
        """
        file = cls(Path(path).resolve(), CheckpointState())
        try:
            with file._path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            file.save(CheckpointState())
            return file
        except OSError as error:
            raise CheckpointError(
                f"cannot read the checkpoint file {file._path}: {error.strerror}"
            ) from error
        file._state = _parse(data, file._path)
        return file

    @property
    def state(self) -> CheckpointState:
        """The position that was saved last."""
        return self._state

    def save(self, state: CheckpointState) -> None:
        """Write a position to the disk; raises CheckpointError and keeps the old one if that fails."""
        with self._writing:
            if self._closed:
                raise CheckpointError(f"the checkpoint file {self._path} is closed")
            try:
                write_whole(self._path, _serialize(state))
            except OSError as error:
                raise CheckpointError(
                    f"cannot write the checkpoint file {self._path}: {error.strerror}"
                ) from error
            self._state = state

    def close(self) -> None:
        """Wait for a save that is under way; later ones are refused."""
        with self._writing:
            self._closed = True


def _serialize(state: CheckpointState) -> bytes:
    fields: dict[str, str] = {}
    if state.block_number is not None:
        fields["blockNumber"] = str(state.block_number)
    if state.transaction_id is not None:
        fields["transactionId"] = state.transaction_id
    return json.dumps(fields, separators=(",", ":")).encode()


def _parse(data: bytes, path: Path) -> CheckpointState:
    def corrupt(reason: str) -> CheckpointError:
        return CheckpointError(
            f"the file {path} is not a checkpoint ({reason}); restore it, or delete it to start without a checkpoint"
        )

    if len(data) > MAX_FILE_BYTES:
        raise corrupt(f"it is longer than {MAX_FILE_BYTES} bytes")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise corrupt("it is empty" if not data else "it is not JSON") from error
    if not isinstance(fields, dict) or not fields.keys() <= {"blockNumber", "transactionId"}:
        raise corrupt("expected an object with blockNumber and transactionId")
    block_number, transaction_id = fields.get("blockNumber"), fields.get("transactionId")
    if block_number is None:
        if transaction_id is not None:
            raise corrupt("it has a transactionId but no blockNumber")
        return CheckpointState()
    if not isinstance(block_number, str) or not (block_number.isascii() and block_number.isdecimal()):
        raise corrupt("its blockNumber is not a string of decimal digits")
    if len(block_number) > len(str(MAX_BLOCK_NUMBER)) or int(block_number) > MAX_BLOCK_NUMBER:
        raise corrupt("its blockNumber is beyond 2^64 - 1")
    if transaction_id is not None and not _is_text(transaction_id):
        raise corrupt("its transactionId is not a non-empty string")
    return CheckpointState(int(block_number), transaction_id)


def _is_text(value: object) -> bool:
    return (
        isinstance(value, str)
        and bool(value)
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )

"""The files of a member's folder: read within bounds, written to last, private keys for their owner's eyes only."""

from __future__ import annotations

import os
from pathlib import Path

from shirushi_client.whole_files import sync_folder
from shirushi_core.fabric.pem import MAX_PEM_BYTES
from shirushi_network.errors import ConsortiumError


class MemberKeysError(ConsortiumError):
    """A member's folder that exists already, is not whole, or cannot be read; the text names the file."""


def read_file(path: Path, limit: int = MAX_PEM_BYTES) -> bytes:
    """Read a file of at most `limit` bytes; raises MemberKeysError naming it."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise MemberKeysError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise MemberKeysError(f"{path} is longer than {limit} bytes")
    return data


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder by name, none if there is no such folder; raises MemberKeysError."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise MemberKeysError(f"{folder} cannot be read: {error.strerror}") from error


def only_file(folder: Path) -> Path:
    """Return the one file of a folder; raises MemberKeysError if there are none or several."""
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise MemberKeysError(f"{folder} cannot be read: {error.strerror}") from error
    if len(found) != 1:
        raise MemberKeysError(f"{folder} holds {len(found)} files; expected exactly one")
    return found[0]


def write_public(path: Path, data: bytes) -> None:
    """Write a new file that everyone may read; raises OSError, also if it exists."""
    _write(path, data, 0o644)


def write_private(path: Path, data: bytes) -> None:
    """Write a new file that only its owner may read; raises OSError, also if it exists."""
    _write(path, data, 0o600)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are not there, for the owner only."""
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def sync_tree(root: Path) -> None:
    """Do so for a folder and all below it."""
    for folder, _, _ in os.walk(root):
        sync_folder(Path(folder))


def _write(path: Path, data: bytes, mode: int) -> None:
    make_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())

"""A folder for one process alone, as the ledger and the witness keep theirs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from shirushi_core.errors import ShirushiError


def lock_folder(folder: Path, what: str, holder: str, error: type[ShirushiError]) -> int:
    """Make a folder and take it for this process; returns the lock's descriptor, which the system drops with the process.

    Raises `error`: `what` names the folder in it, `holder` who else may have it.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "in-use.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as reason:
        raise error(f"{what} {folder} cannot be opened: {reason.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise error(f"{what} {folder} is in use by {holder}; stop that one first") from None
    return lock

"""The lock of a data folder: one process runs its consortium, and others can see which."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shirushi_network.errors import ConsortiumError

POLL_SECONDS = 0.01


@contextmanager
def single_process(lock: Path) -> Iterator[None]:
    """Hold the data folder's lock; raises ConsortiumError if another process has it."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConsortiumError(f"another process runs the consortium in {lock.parent}") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def lock_holder(lock: Path) -> int | None:
    """Return the process that holds a lock, 0 for one that has not said yet who it is, None if nobody does."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(descriptor, 32).strip() or 0)
    finally:
        os.close(descriptor)
    return None


def end_holder(lock: Path, timeout: float) -> bool:
    """End the process that holds a data folder's lock, and wait until the lock is free; False if nobody holds it.

    Raises ConsortiumError if the process does not end within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while (holder := lock_holder(lock)) == 0:
        if time.monotonic() > deadline:
            raise ConsortiumError(
                f"a process holds {lock} and does not say which it is: look for it with `lsof {lock}`"
            )
        time.sleep(POLL_SECONDS)
    if holder is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(holder, signal.SIGTERM)
    waiting = threading.Thread(target=_wait_for, args=(lock,), daemon=True)
    waiting.start()
    waiting.join(timeout)
    if waiting.is_alive():
        raise ConsortiumError(
            f"process {holder} did not end within {timeout:.0f} s: end it with `kill -9 {holder}`"
        )
    return True


def _wait_for(lock: Path) -> None:
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)

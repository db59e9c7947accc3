"""Writing small files whole or not at all."""

from __future__ import annotations

from pathlib import Path

from shirushi_client.whole_files import write_whole


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file for good: readers see the old content or the new, never a part (`whole_files.write_whole`)."""
    write_whole(path, data, mode=mode)

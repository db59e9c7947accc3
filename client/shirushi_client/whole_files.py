"""Writing files whole or not at all, wherever trust or results are kept.

What is written goes into a new file beside the target, under a name that nobody can know before, and takes the target's place
when all of it is there. A link that somebody has put into the folder beforehand is never followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".partial"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_whole(
    path: str | Path, data: bytes, *, mode: int = 0o666, durable: bool = True, again: bool = False
) -> None:
    """Put a file in its place, also in place of a link there; raises OSError and leaves what was there.

    `mode` is subject to the umask. `durable`: the file and its place in the folder are on disk when this returns. `again`: it is
    a file that a next run writes again after a crash, and what the crash left beside it has to be gone then; the name beside it
    is always the same, and what lies there, a link too, is removed first. One process at a time then.
    """
    with _taking_the_place_of(os.fspath(path), mode, durable, again=again) as descriptor:
        written = os.write(descriptor, data)
        while written < len(data):
            written += os.write(descriptor, data[written:])


@contextmanager
def whole_file(path: str | Path, *, mode: int = 0o666, durable: bool = True) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes its place once the block has ended well; as `write_whole`."""
    with (
        _taking_the_place_of(os.fspath(path), mode, durable) as descriptor,
        open(descriptor, "wb", closefd=False) as file,
    ):
        yield file


@contextmanager
def _taking_the_place_of(path: str, mode: int, durable: bool, *, again: bool = False) -> Iterator[int]:
    folder, slash, name = path.rpartition("/")
    beside = f"{folder}{slash}.{name if again else os.urandom(12).hex()}{_SUFFIX}"
    try:
        descriptor = os.open(beside, _NEW, mode)
    except FileExistsError:
        if not again:
            raise
        os.unlink(beside)  # noqa: PTH108 (as it was named)
        descriptor = os.open(beside, _NEW, mode)
    try:
        try:
            yield descriptor
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(beside, path)  # noqa: PTH105 (once for each of a million files)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)  # noqa: PTH108 (as it was named)
        raise
    if durable:
        sync_folder(f"{folder}{slash}" or ".")


def write_output(path: Path, data: bytes) -> None:
    """Write what a command was asked for to where it was asked for; raises OSError.

    A file is put there whole or not at all; through a link, or into a pipe or device, it is written as it goes.
    """
    try:
        through = not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        through = False
    if through:
        path.write_bytes(data)
    else:
        write_whole(path, data)


def sync_folder(folder: str | Path) -> None:
    """Wait until what was made, renamed or removed in a folder will outlast a power cut; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

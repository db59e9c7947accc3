"""Files that commands write besides receipts: whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from shirushi_client import whole_files
from shirushi_core.errors import ShirushiError


class OutputFileError(ShirushiError):
    """A file that cannot be written; what was there before is unchanged."""


@contextmanager
def whole_file(path: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Give a file to write text to, which takes its place once all is written; raises OutputFileError."""
    try:
        with (
            whole_files.whole_file(path) as binary,
            TextIOWrapper(binary, encoding=encoding, newline="") as file,
        ):
            yield file
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_output(path: Path, data: bytes) -> None:
    """Write what was asked for to where it was asked for (`whole_files.write_output`); raises OutputFileError."""
    try:
        whole_files.write_output(path, data)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> OutputFileError:
    return OutputFileError(f"{path} cannot be written: {(error.strerror or 'error').lower()}")

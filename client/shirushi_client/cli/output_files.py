"""Files that commands write besides receipts: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from shirushi_core.errors import ShirushiError


class OutputFileError(ShirushiError):
    """A file that cannot be written; what was there before is unchanged."""


@contextmanager
def whole_file(path: Path, *, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Give a file to write text to, which takes its place once all is written; raises OutputFileError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with beside.open("w", encoding=encoding, newline="") as file:
            yield file
        beside.replace(path)
    except OSError as error:
        raise OutputFileError(f"{path} cannot be written: {(error.strerror or 'error').lower()}") from error
    finally:
        beside.unlink(missing_ok=True)

r"""Text from outside as it is shown to a person or written to a log: nothing in it changes what stands around it.

Names, file names and errors of other parties may hold line ends, terminal sequences, or characters that turn the direction of writing.
What cannot be seen is written out: \x1b, \u202e, \udc81 (a byte of a file name that is no text). Everything that reaches a screen or a
log goes through here.
"""

from __future__ import annotations

import logging

_SPACES = " \u3000\xa0"
"""Spaces that names have; `str.isprintable` knows the first only."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"

MAX_CHARACTERS = 4096
"""What is shown of one text at most: no message needs more."""


def shown(text: str, *, most: int = MAX_CHARACTERS) -> str:
    """Return a text on one line, with everything written out that is no visible character, and cut after `most` characters."""
    if len(text) > most:
        text = f"{text[:most]}…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in _SPACES else _written_out(char) for char in text)


def shown_lines(text: str, *, most: int = MAX_CHARACTERS) -> str:
    """Return a text of several lines that are meant to be lines, each as `shown` does it."""
    return "\n".join(shown(line, most=most) for line in text.split("\n"))


def log_handler() -> logging.Handler:
    """Return the handler that every program of ours logs to standard error with."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter(LOG_FORMAT))
    return handler


def _written_out(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class PlainFormatter(logging.Formatter):
    """Formats log records so that a message stays on its line, whatever is in it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.message = shown(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """Return a traceback, whose last lines hold the error's own text."""
        return shown_lines(super().formatException(ei))  # type: ignore[arg-type]

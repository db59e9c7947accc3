"""PEM as Go reads it (encoding/pem): the first block in a text that may hold anything else too."""

from __future__ import annotations

import base64
import binascii
import re

from shirushi_core.errors import InvalidInputError

MAX_PEM_BYTES = 64 * 1024
"""Larger keys and certificates are refused unread."""

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"\n-----END ", b"-----"
_BLANKS = re.compile(rb"[ \t\r\n]")


def first_block(data: bytes) -> tuple[str, bytes]:
    """Return the first block's label and content; raises InvalidInputError for more than MAX_PEM_BYTES, or none."""
    if len(data) > MAX_PEM_BYTES:
        raise InvalidInputError(f"expected at most {MAX_PEM_BYTES} bytes of PEM, found {len(data)}")
    start = 0
    while (end := data.find(_END, start)) >= 0:
        begin = data.rfind(_BEGIN, start, end)
        found = None
        if begin == start or (begin > start and data[begin - 1 : begin] == b"\n"):
            found = _block(data, begin + len(_BEGIN), end)
        if found is not None:
            return found
        start = end + len(_END)
    raise InvalidInputError("could not decode the PEM structure: expected a certificate in PEM form")


def _block(data: bytes, position: int, end: int) -> tuple[str, bytes] | None:
    """Return the block whose label begins at `position` and whose last line begins at `end`, or None."""
    label, position = _line(data, position, end + 1)
    if not label.endswith(_DASHES):
        return None
    label = label.removesuffix(_DASHES)
    while position < end and b":" in (line := _line(data, position, len(data))[0]):
        position = _line(data, position, len(data))[1]
        del line
    last, _ = _line(data, end + len(_END), len(data))
    if last != label + _DASHES or position > end + 1:
        return None
    text = _BLANKS.sub(b"", data[position:end])
    try:
        return label.decode("latin-1"), base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def _line(data: bytes, position: int, limit: int) -> tuple[bytes, int]:
    """Return a line without its blanks at the end, and where the next begins."""
    end = data.find(b"\n", position, limit)
    stop = limit if end < 0 else end
    return data[position:stop].rstrip(b" \t\r"), stop if end < 0 else end + 1

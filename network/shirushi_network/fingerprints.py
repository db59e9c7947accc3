"""Fingerprints that people read to each other: a SHA-256 as sixteen groups of four hex digits."""

from __future__ import annotations

import re

from shirushi_core.errors import InvalidInputError

_SEPARATORS = re.compile(r"[\s:-]+")
_DIGITS = re.compile(r"[0-9a-f]{64}")


def grouped(digest: bytes) -> str:
    """Return a digest as hex in groups of four."""
    digits = digest.hex()
    return " ".join(digits[start : start + 4] for start in range(0, len(digits), 4))


def in_two_lines(digest: bytes) -> tuple[str, str]:
    """Return its halves, each in groups of four: short enough for any terminal and to be read out."""
    half = len(digest) // 2
    return grouped(digest[:half]), grouped(digest[half:])


def parse_fingerprint(text: str) -> bytes:
    """Read a SHA-256 as people write it down: any grouping by spaces, colons and dashes; raises InvalidInputError."""
    digits = _SEPARATORS.sub("", text).lower()
    if not _DIGITS.fullmatch(digits):
        raise InvalidInputError(f"a fingerprint has 64 hex digits; found {text[:100]!r}")
    return bytes.fromhex(digits)

"""Names and addresses that people are shown: of members and issuers, and where witnesses answer.

One member chooses them and all the others see them, so nothing in them may hide, reorder or imitate what stands beside them.
"""

from __future__ import annotations

import re
import unicodedata

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields

MAX_NAME = 200
MAX_URL = 1024
MAX_MARKS = 4
"""Marks that may stand on one character: more grow over the lines above and below."""

_WIDE_SPACE = "\u3000"
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show as nothing."""

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HTTPS = re.compile(
    rf"https://(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]{{2,45}}\])(?::([0-9]{{1,5}}))?"
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*"
)


def check_name(name: str, where: str) -> str:
    """Return a name of 1 to MAX_NAME characters that shows as what it is; raises InvalidInputError.

    Refused are control, format and bidirectional characters, unassigned ones, spaces but U+0020 and U+3000, and blanks.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= MAX_NAME:
        raise fields.unexpected(where, f"a name of 1 to {MAX_NAME} characters", name)
    marks = 0
    for character in name:
        if character in _BLANK or not (character.isprintable() or character == _WIDE_SPACE):
            raise InvalidInputError(f"{where}: expected printable characters, found U+{ord(character):04X}")
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > MAX_MARKS:
            raise InvalidInputError(
                f"{where}: expected at most {MAX_MARKS} marks on one character, found more"
            )
    if not name.strip():
        raise InvalidInputError(f"{where}: expected a name, found only spaces")
    return name


def check_https(url: str, where: str) -> str:
    """Return an address that can only be one of HTTPS, and shows as what it is; raises InvalidInputError.

    Refused are other schemes, users and passwords, queries, fragments, and what is not printable ASCII.
    """
    found = _HTTPS.fullmatch(url) if len(url) <= MAX_URL else None
    if found is None or (found[1] is not None and not 1 <= int(found[1]) <= 65535):
        raise fields.unexpected(where, "an address of the form https://host[:port][/path]", url)
    return url

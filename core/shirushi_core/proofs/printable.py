"""Which text may stand in records that logs are derived from: decided by this list, and not by a Python's version of Unicode.

Refused are controls, format characters (among them those that turn the direction of text around), separators but the space,
private use and noncharacters, as Unicode 14 has them; characters that later versions add are taken.
"""

from __future__ import annotations

import re

_REFUSED = re.compile(
    "[\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff\U000f0000-\U0010ffff]"
)


def is_printable(text: str) -> bool:
    """Say whether text has none of the characters that are refused."""
    return _REFUSED.search(text) is None

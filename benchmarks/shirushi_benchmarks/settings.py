"""How much is measured: the numbers that commands take, the same for every profile and network."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError

Advance = Callable[[str, int, int], None]
"""Told what goes on, how much of it is done, and how much there is."""

MAX_DOCUMENTS = 10_000_000
MAX_DOCUMENT_BYTES = 100_000_000

_DOCUMENTS = re.compile(r"([1-9][0-9]{0,8})x([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents to issue: how many, and of how many bytes each."""

    count: int
    size: int

    @classmethod
    def parse(cls, text: str) -> Documents:
        """Parse "COUNTxBYTES"; raises InvalidInputError."""
        found = _DOCUMENTS.fullmatch(text)
        made = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= made.count <= MAX_DOCUMENTS or not 1 <= made.size <= MAX_DOCUMENT_BYTES:
            raise InvalidInputError(
                f"documents: expected COUNTxBYTES, at most {MAX_DOCUMENTS}x{MAX_DOCUMENT_BYTES}, found {text!r}"
            )
        return made


@dataclass(frozen=True, slots=True)
class Settings:
    """What the profiles take.

    `offered`: requests a second; `in_flight`: transactions under way at once; each of these steps takes `step_seconds`, or longer
    where that would be fewer than `step_requests` requests, or ends after `transactions`. `documents` are issued in batches of `batch` into
    receipt books, `receipts` of the first of them with a receipt file each as well. `pipeline`: documents proved without a ledger. `anchors` and `journal`: how far a ledger and an
    issuer's journal grow. `cold` and `cached`: receipts with heads
    of their own and of one batch to verify offline, `online`: receipts to verify by asking members.
    """

    offered: tuple[float, ...] = (1, 2, 5, 10, 20, 50, 100, 200, 400)
    step_seconds: float = 20.0
    step_requests: int = 30
    in_flight: tuple[int, ...] = (10, 50, 100, 200)
    transactions: int = 5000
    documents: tuple[Documents, ...] = (Documents(100_000, 2048), Documents(10_000, 102_400))
    batch: int = 16384
    receipts: int = 20_480
    pipeline: int = 20_000
    pipeline_batch: int = 1000
    anchors: int = 10_000
    journal: int = 1_000_000
    cold: int = 300
    cached: int = 8192
    online: int = 300


SHORT = Settings(
    offered=(5, 20),
    step_seconds=3.0,
    step_requests=10,
    in_flight=(50,),
    transactions=300,
    documents=(Documents(2048, 2048),),
    batch=512,
    receipts=1024,
    cold=50,
    cached=1024,
    online=50,
)
"""Enough to see that nothing has become much slower, in well under a minute."""

"""py_ecc, the oracle for BLS signatures: plain Python, and slow.

Importing it raises the interpreter's recursion limit for the whole process, under which deeply nested input would end it
instead of being refused. So it is put back, and py_ecc is for tests alone.
"""

from __future__ import annotations

import sys

_limit = sys.getrecursionlimit()
from py_ecc.bls import G2ProofOfPossession as Oracle  # noqa: E402

sys.setrecursionlimit(_limit)

__all__ = ["Oracle"]

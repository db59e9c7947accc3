"""Swapping two folders in one step: whoever looks finds the one or the other, also after a power cut.

Linux: renameat2(2) with RENAME_EXCHANGE; macOS: renamex_np(2) with RENAME_SWAP.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_EXCHANGE = 2  # both RENAME_EXCHANGE and RENAME_SWAP


def exchange(first: Path, second: Path) -> None:
    """Swap two folders of one file system; raises OSError, ENOTSUP where the system or file system cannot."""
    library = ctypes.CDLL(None, use_errno=True)
    one, other = os.fsencode(first), os.fsencode(second)
    try:
        if sys.platform == "darwin":
            failed = library.renamex_np(one, other, _EXCHANGE)
        else:
            failed = library.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _EXCHANGE)
    except AttributeError:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from None
    if failed:
        number = ctypes.get_errno()
        if number in (errno.ENOSYS, errno.EINVAL):
            number = errno.ENOTSUP
        raise OSError(number, os.strerror(number), str(first))

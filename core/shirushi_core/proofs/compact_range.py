"""The head of a growing tree, without the tree: the roots of the complete subtrees that its leaves fall into.

One hash for each bit that is set in the number of leaves, so a log of any length is headed in a few hundred bytes. Trees are RFC 9162's.
"""

from __future__ import annotations

from collections.abc import Iterable

from shirushi_core.proofs.merkle import EMPTY_ROOT, node_hash


class CompactRange:
    """The first `size` leaves of a log; leaf hashes go in one after the other."""

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """`peaks` are the roots of the complete subtrees over the first `size` leaves, largest first."""
        self.size = size
        self._peaks = list(peaks)

    def append(self, leaf_hash: bytes) -> None:
        """Add a leaf by its hash."""
        count, node = self.size, leaf_hash
        while count & 1:
            node = node_hash(self._peaks.pop(), node)
            count >>= 1
        self._peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the head of the tree over what was added."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

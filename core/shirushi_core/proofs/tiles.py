"""A log's tree as tiles: 256 hashes each, out of which every root and proof can be computed.

Tile n of level l holds the hashes of the complete subtrees over 256^l entries from entry n·256^(l+1) on; the last tile of a
level may be partial. Source: C2SP tlog-tiles; trees and proofs are RFC 9162's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.merkle import EMPTY_ROOT, HASH_SIZE, ProofError, node_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
MAX_LEVEL = 6
"""Levels below 2^53 entries: 8 · 7 > 53."""

MAX_ENTRY_BYTES = (1 << 16) - 1
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)

_NUMBER = r"((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
_TILE_PATH = re.compile(rf"tile/([0-9]|[1-5][0-9]|6[0-3])/{_NUMBER}")
_ENTRIES_PATH = re.compile(rf"tile/entries/{_NUMBER}")


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Which tile, and how many hashes of it: 256 when it is full."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def path(self) -> str:
        """Where it is served, below the log's prefix."""
        return f"tile/{self.level}/{_number(self.index, self.width)}"

    @classmethod
    def from_path(cls, path: str) -> Tile:
        """Parse a path in its one form; raises InvalidInputError."""
        found = _TILE_PATH.fullmatch(path)
        if found is None:
            raise InvalidInputError(f"no path of a tile: {path[:80]!r}")
        tile = cls(int(found[1]), *_index_and_width(found[2], found[3]))
        if tile.path != path:
            raise InvalidInputError(f"no path of a tile: {path[:80]!r}")
        return tile


ReadTile = Callable[[Tile], bytes]
"""Returns the hashes of a tile, concatenated, at least as many as its width; raises ProofError if there is no such tile."""


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return where a bundle of entries is served."""
    return f"tile/entries/{_number(index, width)}"


def parse_entries_path(path: str) -> tuple[int, int]:
    """Return index and width of a bundle's path in its one form; raises InvalidInputError."""
    found = _ENTRIES_PATH.fullmatch(path)
    if found is not None:
        index, width = _index_and_width(found[1], found[2])
        if entries_path(index, width) == path:
            return index, width
    raise InvalidInputError(f"no path of an entry bundle: {path[:80]!r}")


def bundle(entries: Sequence[bytes]) -> bytes:
    """Return a bundle: each entry after its length, 2 bytes big-endian; raises InvalidInputError for too long a one."""
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise InvalidInputError(
                f"log entry: expected at most {MAX_ENTRY_BYTES} bytes, found {len(entry)}"
            )
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundle(data: bytes) -> list[bytes]:
    """Return the entries of a bundle; raises InvalidInputError."""
    entries: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data) or len(entries) == TILE_WIDTH:
            raise InvalidInputError("entry bundle: it ends in the middle of an entry, or has more than 256")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def tiles_of(size: int, first: int = 0) -> Iterator[Tile]:
    """Yield the tiles that a tree of `size` entries has and one of `first` had not, or not as wide; lowest level first."""
    for level in range(MAX_LEVEL + 1):
        before, now = first >> TILE_HEIGHT * level, size >> TILE_HEIGHT * level
        if now == 0:
            return
        for index in range(before // TILE_WIDTH, -(-now // TILE_WIDTH)):
            width = min(TILE_WIDTH, now - index * TILE_WIDTH)
            if index * TILE_WIDTH + width > before:
                yield Tile(level, index, width)


class TileTree:
    """A tree of some size, as its tiles have it."""

    def __init__(self, size: int, read: ReadTile) -> None:
        self.size = size
        self._read = read

    def root(self, size: int | None = None) -> bytes:
        """Return the head of the tree, or of its first `size` entries; raises ProofError."""
        size = self._checked(self.size if size is None else size)
        return self._range(0, size) if size else EMPTY_ROOT

    def inclusion_path(self, index: int, size: int | None = None) -> list[bytes]:
        """Return an entry's path to the root over `size` entries (RFC 9162 section 2.1.3.1); raises ProofError."""
        size = self._checked(self.size if size is None else size)
        if not 0 <= index < size:
            raise ProofError(f"log entry: expected an index below {size}, found {index}")
        path, start, end = [], 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start = middle
        return path[::-1]

    def consistency_path(self, first: int, size: int | None = None) -> list[bytes]:
        """Return the proof that `size` entries extend the `first` ones (RFC 9162 section 2.1.4.1); raises ProofError."""
        size = self._checked(self.size if size is None else size)
        if not 0 <= first <= size:
            raise ProofError(f"log: expected a size of at most {size}, found {first}")
        if first in (0, size):
            return []
        path, start, end, whole = [], 0, size, True
        while first != end:
            middle = start + _split(end - start)
            if first <= middle:
                path.append(self._range(middle, end))
                end = middle
            else:
                path.append(self._range(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self._range(start, end))
        return path[::-1]

    def hashes(self, tile: Tile) -> bytes:
        """Return the hashes of a tile above level 0, out of the full tiles below it; raises ProofError."""
        start = tile.index * TILE_WIDTH
        return b"".join(
            self._node(tile.level * TILE_HEIGHT, start + n, from_below=True) for n in range(tile.width)
        )

    def _checked(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ProofError(f"log: expected a size of at most {self.size}, found {size}")
        return size

    def _range(self, start: int, end: int) -> bytes:
        """Return the hash over entries [start, end), start being a multiple of the power of two that covers it."""
        count = end - start
        if count & (count - 1) == 0:
            return self._node(count.bit_length() - 1, start // count)
        middle = start + _split(count)
        return node_hash(self._range(start, middle), self._range(middle, end))

    def _node(self, height: int, index: int, *, from_below: bool = False) -> bytes:
        """Return the hash of the complete subtree over 2^height entries with this index among them."""
        level, rest = divmod(height, TILE_HEIGHT)
        if from_below:
            level, rest = level - 1, TILE_HEIGHT
        first, count = index << rest, 1 << rest
        tile, offset = divmod(first, TILE_WIDTH)
        available = (self.size >> TILE_HEIGHT * level) - tile * TILE_WIDTH
        wanted = Tile(level, tile, min(TILE_WIDTH, available))
        data = self._read(wanted)
        if len(data) < wanted.width * HASH_SIZE or offset + count > wanted.width:
            raise ProofError(f"{wanted.path}: expected {wanted.width} hashes, found {len(data) // HASH_SIZE}")
        row = [data[HASH_SIZE * n : HASH_SIZE * (n + 1)] for n in range(offset, offset + count)]
        while len(row) > 1:
            row = [node_hash(row[n], row[n + 1]) for n in range(0, len(row), 2)]
        return row[0]


def _split(count: int) -> int:
    """Return the largest power of two below a count."""
    return 1 << (count - 1).bit_length() - 1


def _number(index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[n : n + 3] for n in range(0, len(digits), 3)]
    whole = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return whole if width == TILE_WIDTH else f"{whole}.p/{width}"


def _index_and_width(number: str, partial: str | None) -> tuple[int, int]:
    index = int(number.replace("x", "").replace("/", ""))
    width = TILE_WIDTH if partial is None else int(partial)
    if index >= 1 << 53 or width > TILE_WIDTH or (partial is not None and width == TILE_WIDTH):
        raise InvalidInputError(f"no path of a tile: index {index}, width {width}")
    return index, width

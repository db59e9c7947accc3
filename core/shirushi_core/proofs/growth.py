"""A log that grows: which files of tiles and bundles each new entry makes or changes, and every head on the way.

Only the right edge of the tree is kept: the last, partial tile of each level, the last, partial bundle, and the roots of the
complete subtrees that the log falls into. Pure: what is to be written is collected, and somebody else writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.compact_range import CompactRange
from shirushi_core.proofs.merkle import HASH_SIZE, ProofError, leaf_hash, node_hash
from shirushi_core.proofs.tiles import (
    MAX_LEVEL,
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    bundle,
    entries_path,
    unbundle,
)

ReadFile = Callable[[str], bytes]
"""Returns a tile's or bundle's bytes by its path; raises ProofError if there is no such file."""


@dataclass
class Growth:
    """The right edge of a log."""

    size: int = 0
    _rows: list[list[bytes]] = field(default_factory=lambda: [[] for _ in range(MAX_LEVEL + 1)])
    _entries: list[bytes] = field(default_factory=list)
    _range: CompactRange = field(default_factory=CompactRange)
    _full: dict[str, bytes] = field(default_factory=dict)
    _changed: set[int] = field(default_factory=set)  # levels

    @classmethod
    def load(cls, size: int, read: ReadFile) -> Growth:
        """Read the edge of a log of some size from its files; raises ProofError."""
        growth, peaks = cls(size), list[bytes]()
        for level in range(MAX_LEVEL, -1, -1):
            index, width = divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)
            if width:
                data = read(Tile(level, index, width).path)
                if len(data) != width * HASH_SIZE:
                    raise ProofError(f"{Tile(level, index, width).path}: expected {width} hashes")
                row = [data[n : n + HASH_SIZE] for n in range(0, len(data), HASH_SIZE)]
                growth._rows[level] = row
                peaks.extend(_peaks(row))
        growth._range = CompactRange(size, peaks)
        index, width = divmod(size, TILE_WIDTH)
        if width:
            growth._entries = _read_entries(read, index, width)
        return growth

    def append(self, entry: bytes) -> int:
        """Add an entry and return its index."""
        index = self.size
        self._entries.append(entry)
        if len(self._entries) == TILE_WIDTH:
            self._full[entries_path(index // TILE_WIDTH)] = bundle(self._entries)
            self._entries = []
        node = leaf_hash(entry)
        self._range.append(node)
        for level, row in enumerate(self._rows):
            row.append(node)
            self._changed.add(level)
            if len(row) < TILE_WIDTH:
                break
            self._full[Tile(level, index >> TILE_HEIGHT * (level + 1)).path] = b"".join(row)
            node = _root(row)
            row.clear()
        self.size += 1
        return index

    def root(self) -> bytes:
        """Return the head of the tree as it is now."""
        return self._range.root()

    def take_files(self) -> Mapping[str, bytes]:
        """Return the files, by path, that are new since the last time, and the partial ones that end the log now."""
        files, self._full = self._full, {}
        changed, self._changed = self._changed, set()
        files.update(self._partial_tiles(sorted(changed)))
        if self._entries and changed:
            files[entries_path(self.size // TILE_WIDTH, len(self._entries))] = bundle(self._entries)
        return files

    def partial_tiles(self) -> Mapping[str, bytes]:
        """Return the partial tiles, by path, that end the log now, lowest level first."""
        return dict(self._partial_tiles(range(len(self._rows))))

    def _partial_tiles(self, levels: Iterable[int]) -> Iterator[tuple[str, bytes]]:
        for level in levels:
            if row := self._rows[level]:
                tile = Tile(level, self.size >> TILE_HEIGHT * (level + 1), len(row))
                yield tile.path, b"".join(row)


def _read_entries(read: ReadFile, index: int, width: int) -> list[bytes]:
    path = entries_path(index, width)
    try:
        entries = unbundle(read(path))
    except InvalidInputError as error:
        raise ProofError(f"{path}: {error}") from None
    if len(entries) != width:
        raise ProofError(f"{path}: expected {width} entries, found {len(entries)}")
    return entries


def _peaks(row: list[bytes]) -> list[bytes]:
    """Return the roots of the complete subtrees that a tile's hashes fall into, largest first."""
    peaks, start = [], 0
    while start < len(row):
        count = 1 << (len(row) - start).bit_length() - 1
        peaks.append(_root(row[start : start + count]))
        start += count
    return peaks


def _root(row: list[bytes]) -> bytes:
    """Return the hash over 2^n hashes."""
    while len(row) > 1:
        row = [node_hash(row[n], row[n + 1]) for n in range(0, len(row), 2)]
    return row[0]

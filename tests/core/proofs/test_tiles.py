"""Tiles: C2SP's examples, and roots and proofs against our own in-memory tree, which is held against RFC 9162 and pymerkle."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import merkle
from shirushi_core.proofs.tiles import (
    TILE_WIDTH,
    Tile,
    TileTree,
    bundle,
    entries_path,
    parse_entries_path,
    tiles_of,
    unbundle,
)

ENTRIES = [str(number).encode() for number in range(1_000)]
LARGE = 70_000


class Tiles:
    """The tiles of a growing tree, kept as a log keeps them: by path."""

    def __init__(self) -> None:
        self.size = 0
        self.files: dict[str, bytes] = {}

    def append(self, entries: list[bytes]) -> None:
        hashes = [merkle.leaf_hash(entry) for entry in entries]
        size = self.size + len(entries)
        for tile in tiles_of(size, self.size):
            if tile.level == 0:
                start = tile.index * TILE_WIDTH
                kept = self.read(Tile(0, tile.index, self.size - start)) if start < self.size else b""
                new = hashes[max(0, start - self.size) : start + tile.width - self.size]
                self.files[tile.path] = kept + b"".join(new)
            else:
                self.files[tile.path] = TileTree(size, self.read).hashes(tile)
        self.size = size

    def read(self, tile: Tile) -> bytes:
        try:
            return self.files[tile.path]
        except KeyError:
            raise merkle.ProofError(f"no {tile.path}") from None


@pytest.fixture(scope="module")
def grown() -> Tiles:
    """A log of 1,000 entries that came in parts of many sizes; heads of every size were there."""
    tiles = Tiles()
    position, step = 0, 1
    while position < len(ENTRIES):
        tiles.append(ENTRIES[position : position + step])
        position, step = position + step, step % 97 + 1
    assert tiles.size == len(ENTRIES)
    return tiles


def test_the_specification_s_paths() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(1, 0, 17).path == "tile/1/000.p/17"
    assert entries_path(1234067, 1) == "tile/entries/x001/x234/067.p/1"


def test_the_specification_s_tiles_of_seventy_thousand_entries() -> None:
    tiles = list(tiles_of(LARGE))
    by_level = [[tile for tile in tiles if tile.level == level] for level in range(4)]
    assert [len(level) for level in by_level] == [274, 2, 1, 0]
    assert [level[-1].width for level in by_level[:3]] == [112, 17, 1]
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.integers(0, 2_000), st.integers(0, 2_000))
def test_growing_tiles_are_those_that_became_wider(one: int, other: int) -> None:
    first, size = sorted((one, other))
    assert set(tiles_of(size, first)) == set(tiles_of(size)) - set(tiles_of(first))


@given(st.integers(0, len(ENTRIES)))
def test_the_root_is_the_tree_s_at_every_size(grown: Tiles, size: int) -> None:
    tree = TileTree(grown.size, grown.read)
    assert tree.root(size) == merkle.root(ENTRIES[:size])


@settings(max_examples=60)
@given(st.data())
def test_proofs_are_the_tree_s(grown: Tiles, data: st.DataObject) -> None:
    tree = TileTree(grown.size, grown.read)
    size = data.draw(st.integers(1, len(ENTRIES)))
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    assert tree.inclusion_path(index, size) == merkle.inclusion_path(ENTRIES[:size], index)
    assert tree.consistency_path(first, size) == merkle.consistency_path(ENTRIES[:size], first)


def test_a_tile_that_is_short_or_missing_gives_no_proof(grown: Tiles) -> None:
    def short(tile: Tile) -> bytes:
        return grown.read(tile)[:-1]

    with pytest.raises(merkle.ProofError, match="expected 3 hashes, found 2"):
        TileTree(grown.size, short).root()
    with pytest.raises(merkle.ProofError):
        TileTree(grown.size, Tiles().read).root()


def test_sizes_and_indexes_beyond_the_tree_are_refused(grown: Tiles) -> None:
    tree = TileTree(grown.size, grown.read)
    for wrong in (
        lambda: tree.root(1001),
        lambda: tree.root(-1),
        lambda: tree.inclusion_path(10, 10),
        lambda: tree.inclusion_path(-1, 10),
        lambda: tree.consistency_path(11, 10),
    ):
        with pytest.raises(merkle.ProofError):
            wrong()


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1",
        "tile/0/x001/1",
        "tile/0/001/002",
        "tile/0/x000/001",
        "tile/00/001",
        "tile/64/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/../001",
        "tile/0/001/",
        "/tile/0/001",
        "tile/0/" + "x999/" * 8 + "999",
        "tile/0/001\n",
    ],
)
def test_paths_have_one_form(path: str) -> None:
    with pytest.raises(InvalidInputError):
        Tile.from_path(path)
    with pytest.raises(InvalidInputError):
        parse_entries_path(path.replace("tile/0/", "tile/entries/"))


@given(st.integers(0, 6), st.integers(0, 2**53 - 1), st.integers(1, 256))
def test_every_path_is_read_back(level: int, index: int, width: int) -> None:
    assert Tile.from_path(Tile(level, index, width).path) == Tile(level, index, width)
    assert parse_entries_path(entries_path(index, width)) == (index, width)


@given(st.lists(st.binary(max_size=50), max_size=256))
def test_bundles_are_read_back(entries: list[bytes]) -> None:
    assert unbundle(bundle(entries)) == entries


@pytest.mark.parametrize("data", [b"\0", b"\0\2a", b"\0\0" * 257])
def test_what_is_no_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInputError):
        unbundle(data)


def test_an_entry_too_long_for_a_bundle_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at most 65535 bytes"):
        bundle([bytes(1 << 16)])

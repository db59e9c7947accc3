"""The growing log against trees built at once, and its files against what tiles are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_core.proofs import merkle
from shirushi_core.proofs.growth import Growth
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.tiles import Tile, TileTree, bundle, entries_path, tiles_of
from shirushi_node.witness.tile_files import TileFiles


def entry(index: int) -> bytes:
    return b"entry %d" % index


def grow(folder: Path, sizes: list[int]) -> Growth:
    """Let a log grow to one size after the other, each time out of its files alone."""
    files = TileFiles(folder)
    growth = Growth()
    for size in sizes:
        growth = Growth.load(growth.size, files.read)
        while growth.size < size:
            growth.append(entry(growth.size))
        written = growth.take_files()
        files.write(written)
        files.tidy(written)
    return growth


def test_every_head_on_the_way_is_rfc_9162s() -> None:
    growth = Growth()
    assert growth.root() == merkle.EMPTY_ROOT
    for size in range(1, 600):
        growth.append(entry(size - 1))
        assert growth.root() == merkle.root([entry(n) for n in range(size)])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 1500), min_size=1, max_size=6).map(sorted))
def test_files_depend_on_the_size_alone(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    folder, whole = tmp_path_factory.mktemp("steps"), tmp_path_factory.mktemp("whole")
    size = sizes[-1]
    assert grow(folder, sizes).root() == grow(whole, [size]).root()
    found = {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}
    bundles = [entries_path(n, min(256, size - 256 * n)) for n in range(-(-size // 256))]
    assert found == {tile.path for tile in tiles_of(size)} | set(bundles)
    assert all((folder / path).read_bytes() == (whole / path).read_bytes() for path in found)


def test_the_tree_over_the_files_has_the_same_root_at_every_size(tmp_path: Path) -> None:
    grow(tmp_path, [700])
    tree = TileTree(700, TileFiles(tmp_path).tile)
    for size in (1, 255, 256, 257, 511, 512, 700):
        assert tree.root(size) == merkle.root([entry(n) for n in range(size)])


def test_a_level_above_is_made_as_tiles_fill(tmp_path: Path) -> None:
    growth = grow(tmp_path, [65_537])
    assert (tmp_path / "tile/1/000").stat().st_size == 256 * 32
    assert (tmp_path / "tile/2/000.p/1").read_bytes() == TileTree(65_536, TileFiles(tmp_path).tile).root()
    assert growth.root() == TileTree(65_537, TileFiles(tmp_path).tile).root()


def test_narrower_tiles_are_cut_out_of_wider_ones(tmp_path: Path) -> None:
    grow(tmp_path, [300])
    files = TileFiles(tmp_path)
    assert files.tile(Tile(0, 0, 7)) == files.tile(Tile(0, 0))[: 7 * 32]
    assert files.tile(Tile(0, 1, 40)) == files.tile(Tile(0, 1, 44))[: 40 * 32]
    assert files.bundle(1, 2) == bundle([entry(256), entry(257)])
    with pytest.raises(ProofError):
        files.tile(Tile(0, 1, 45))


def test_what_was_written_and_not_committed_is_written_again(tmp_path: Path) -> None:
    grow(tmp_path, [250])
    torn = TileFiles(tmp_path)
    torn.write({"tile/0/000": b"torn", "tile/0/001.p/9": b"torn", "tile/entries/000": b""})
    growth = Growth.load(250, torn.read)
    while growth.size < 270:
        growth.append(entry(growth.size))
    written = growth.take_files()
    torn.write(written)
    torn.tidy(written)
    fresh = tmp_path / "fresh"
    grow(fresh, [270])
    for file in fresh.rglob("*"):
        if file.is_file():
            assert (tmp_path / file.relative_to(fresh)).read_bytes() == file.read_bytes()
    assert not (tmp_path / "tile/0/001.p/9").exists()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    grow(tmp_path, [10])
    (tmp_path / "tile/0/000.p/10").unlink()
    with pytest.raises(ProofError, match=r"000\.p/10 cannot be read"):
        Growth.load(10, TileFiles(tmp_path).read)

"""A log's tiles and bundles of entries as files, below one folder, by the paths that they are served at.

Which files there are depends on the log's size alone: all full tiles, and of a partial one the widest. What was written and
not committed is written again with the same bytes. Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from shirushi_core.proofs.merkle import HASH_SIZE, ProofError
from shirushi_core.proofs.tiles import TILE_WIDTH, Tile, bundle, entries_path, unbundle

CACHED_FILES = 1024
"""Full tiles kept in memory, of 8 KiB each."""

_ATTEMPTS = 4
_PARTIAL = re.compile(r"(.*)\.p/([0-9]+)")


class TileFiles:
    """The folder. One writer; readers in any thread, of what is committed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._full = lru_cache(maxsize=CACHED_FILES)(self._read)

    def read(self, path: str) -> bytes:
        """Return a file that is there; raises ProofError."""
        return self._read(path)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files durably, with the folders that they are in; raises OSError."""
        folders: set[Path] = set()
        for path, data in files.items():
            file = self._folder / path
            folders.update(_make_folders(file.parent))
            folders.add(file.parent)
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        for folder in sorted(folders):
            _sync_folder(folder)

    def tidy(self, paths: Iterable[str]) -> None:
        """Remove the partial files that these, which are committed, have made superfluous; raises OSError."""
        for path in paths:
            partial = _PARTIAL.fullmatch(path)
            folder = self._folder / f"{partial[1] if partial else path}.p"
            if partial is None:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            for file in folder.iterdir():
                if file.name != partial[2]:
                    file.unlink()

    def tile(self, tile: Tile) -> bytes:
        """Return a tile's hashes, out of a wider one if it has grown since; raises ProofError."""
        if tile.width == TILE_WIDTH:
            return self._full(tile.path)
        return self._wider(Tile(tile.level, tile.index).path, tile.width)[: tile.width * HASH_SIZE]

    def bundle(self, index: int, width: int = TILE_WIDTH) -> bytes:
        """Return a bundle of entries, out of a wider one if it has grown since; raises ProofError."""
        data = self._wider(entries_path(index), width)
        return data if width == TILE_WIDTH else bundle(unbundle(data)[:width])

    def _wider(self, path: str, width: int) -> bytes:
        """Return the file at a path if it is full, or the partial one that has at least a width."""
        for _ in range(_ATTEMPTS):  # it may grow while it is looked for
            candidates = [path] if width == TILE_WIDTH else [f"{path}.p/{width}", path]
            with contextlib.suppress(OSError):
                candidates += [
                    f"{path}.p/{file.name}"
                    for file in (self._folder / f"{path}.p").iterdir()
                    if int(file.name) > width
                ]
            for candidate in candidates:
                try:
                    return self._read(candidate)
                except ProofError:
                    continue
        raise ProofError(f"{path}: there is no such file of at least {width} entries")

    def _read(self, path: str) -> bytes:
        try:
            return (self._folder / path).read_bytes()
        except OSError as error:
            raise ProofError(f"{self._folder / path} cannot be read: {error.strerror}") from None


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder with those above it, and return the ones in which something is new."""
    changed = []
    missing = folder
    while not missing.exists():
        missing = missing.parent
        changed.append(missing)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return changed


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

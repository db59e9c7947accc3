"""Where a log can be read: a member's witness, or a folder of C2SP tiles. Nothing they say is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from shirushi_client.audit.findings import SourceKind, SourceName
from shirushi_client.witness_client import WitnessClient
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.merkle import HASH_SIZE
from shirushi_core.proofs.note import MAX_NOTE_BYTES, SignedNote
from shirushi_core.proofs.tiles import (
    MAX_BUNDLE_BYTES,
    TILE_WIDTH,
    Tile,
    bundle,
    entries_path,
    unbundle,
)
from shirushi_core.proofs.trust_policy import PolicyMember

CHECKPOINT = "checkpoint"
"""The file of a folder of tiles that has its signed head, if it has one."""


class TileFolderError(ShirushiError):
    """A folder of tiles in which something is missing or cannot be read; the text names the file."""


class LogSource(Protocol):
    """A log as an audit reads it. Every method raises ShirushiError for what cannot be had."""

    @property
    def name(self) -> SourceName:
        """Which log it is."""

    async def note(self, size: int | None = None) -> SignedNote:
        """Return the newest signed head, or that of a size."""

    async def bundle(self, index: int, width: int) -> bytes:
        """Return a bundle of entries."""

    async def tile(self, tile: Tile) -> bytes:
        """Return a tile's hashes."""

    async def cosigned(self, member_id: str) -> SignedNote | None:
        """Return the newest note of a member that whoever serves this log has seen, if any."""

    async def consistency_path(self, first: int, second: int) -> list[bytes] | None:
        """Return the proof it gives that one size extends another, None if it gives none."""


class WitnessSource:
    """A member's witness."""

    def __init__(self, member: PolicyMember, client: WitnessClient) -> None:
        self.name = SourceName(SourceKind.WITNESS, member.id, member.name_ja, member.name_en)
        self._client = client

    async def note(self, size: int | None = None) -> SignedNote:
        return await self._client.note(size)

    async def bundle(self, index: int, width: int) -> bytes:
        return await self._client.bundle(index, width)

    async def tile(self, tile: Tile) -> bytes:
        return await self._client.tile(tile)

    async def cosigned(self, member_id: str) -> SignedNote | None:
        return await self._client.cosigned(member_id)

    async def consistency_path(self, first: int, second: int) -> list[bytes] | None:
        return await self._client.consistency_path(first, second)


class FolderSource:
    """A folder with `tile/...` and, if its head is signed, `checkpoint`: a mirror, or what was derived from blocks."""

    def __init__(self, folder: Path, name: SourceName | None = None) -> None:
        """Without a `name` it is a folder of tiles named by its path."""
        self._folder = folder
        self.name = name or SourceName(SourceKind.TILES, None, str(folder), str(folder))

    @property
    def has_checkpoint(self) -> bool:
        """Whether its head is signed."""
        return (self._folder / CHECKPOINT).exists()

    def size(self) -> int:
        """Return how many entries there are without a gap."""
        full = 0
        while (self._folder / entries_path(full)).is_file():
            full += 1
        return full * TILE_WIDTH + max(self._partial(entries_path(full)), default=0)

    async def note(self, size: int | None = None) -> SignedNote:
        data = self._read(CHECKPOINT, MAX_NOTE_BYTES)
        try:
            note = SignedNote.from_bytes(data)
        except InvalidInputError as error:
            raise TileFolderError(f"{self._folder / CHECKPOINT} is no signed checkpoint: {error}") from None
        if size is not None and note.text.split("\n")[1] != str(size):
            raise TileFolderError(f"{self._folder} has no checkpoint of {size} entries")
        return note

    async def bundle(self, index: int, width: int) -> bytes:
        data = self._wider(entries_path(index), width, MAX_BUNDLE_BYTES)
        entries = _entries(data)
        return data if entries is None or len(entries) <= width else bundle(entries[:width])

    async def tile(self, tile: Tile) -> bytes:
        path = Tile(tile.level, tile.index).path
        return self._wider(path, tile.width, TILE_WIDTH * HASH_SIZE)[: tile.width * HASH_SIZE]

    async def cosigned(self, member_id: str) -> SignedNote | None:
        return None

    async def consistency_path(self, first: int, second: int) -> list[bytes] | None:
        return None

    def _wider(self, path: str, width: int, limit: int) -> bytes:
        """Return the narrowest file that has at least a width: a log that has grown has no narrower one any more."""
        wide = sorted(each for each in self._partial(path) if each >= width)
        return self._read(f"{path}.p/{wide[0]}" if wide and width < TILE_WIDTH else path, limit)

    def _partial(self, path: str) -> list[int]:
        folder = self._folder / f"{path}.p"
        names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
        widths = [int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 3]
        return [width for width in widths if 0 < width < TILE_WIDTH]

    def _read(self, path: str, limit: int) -> bytes:
        try:
            with (self._folder / path).open("rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            reason = (error.strerror or "error").lower()
            raise TileFolderError(f"{self._folder / path} cannot be read: {reason}") from None
        if len(data) > limit:
            raise TileFolderError(f"{self._folder / path}: expected at most {limit} bytes, found more")
        return data


def _entries(data: bytes) -> list[bytes] | None:
    try:
        return unbundle(data)
    except InvalidInputError:
        return None  # whoever reads it finds that out

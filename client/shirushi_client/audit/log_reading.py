"""Reading one log whole: every entry, every tile, and what its head should be; with the first place where they contradict.

Entries and tiles are held against each other as they come. Which of the two is wrong shows at the end: the one that does not
lead to the root that was signed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from shirushi_client.audit.findings import Code, Evidence, Finding, SourceName
from shirushi_client.audit.signatures import Signature
from shirushi_client.audit.sources import LogSource
from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.compact_range import CompactRange
from shirushi_core.proofs.growth import Growth
from shirushi_core.proofs.log_entry import StatusEntry
from shirushi_core.proofs.merkle import EMPTY_ROOT, HASH_SIZE, leaf_hash
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.replay import Fault, Replay, ReplayError
from shirushi_core.proofs.tiles import TILE_HEIGHT, TILE_WIDTH, Tile, entries_path, unbundle

AHEAD = 8
"""Bundles that are fetched at a time."""

_CODES = {
    Fault.MALFORMED: Code.ENTRY_MALFORMED,
    Fault.AGAINST_RULES: Code.ENTRY_AGAINST_RULES,
    Fault.STATUS_ROOT: Code.STATUS_ROOT_DIFFERS,
}

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Head:
    """A log's head as it was signed, and by whom."""

    note: SignedNote
    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]


@dataclass(slots=True, eq=False)
class ReadLog:
    """A log as it was read.

    `size` is how many entries it should have, and `read` how many there are that nothing contradicts; `root` is the head over these,
    and `roots` are the heads on the way, by size: at the end of every block and of every full bundle, so that logs of one content have
    them at the same sizes.
    """

    source: LogSource
    size: int
    head: Head | None
    replay: Replay
    read: int = 0
    root: bytes = EMPTY_ROOT
    roots: dict[int, bytes] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    status_root: bytes | None = None  # at the end, if the whole log could be replayed

    @property
    def name(self) -> SourceName:
        """Which log it is."""
        return self.source.name

    @property
    def is_whole(self) -> bool:
        """Whether everything was read, and nothing in it contradicts anything else in it."""
        return self.read == self.size and not self.findings

    def root_at(self, size: int) -> bytes | None:
        """Return the head of a size, if it is known."""
        return self.root if size == self.read else self.roots.get(size)

    def evidence(self, entry: bytes | None = None) -> Evidence:
        """Return what this log has signed."""
        if self.head is None:
            return Evidence(self.name, entry=entry)
        return Evidence(self.name, self.head.note, self.head.signatures, entry)

    def find(
        self,
        code: Code,
        *,
        index: int | None = None,
        expected: str = "",
        found: str = "",
        entry: bytes | None = None,
    ) -> None:
        """Add a finding about this log, with what it signed."""
        evidence = (self.evidence(entry),) if self.head is not None or entry is not None else ()
        self.findings.append(Finding(code, self.name, index, expected, found, evidence=evidence))


async def read_log(
    source: LogSource, size: int, head: Head | None, replay: Replay, advance: Callable[[int], None]
) -> ReadLog:
    """Read a log of some size; `advance` is told how many entries were read. What is wrong is in its findings."""
    log = ReadLog(source, size, head, replay)
    await _Reading(log, advance).run()
    return log


@dataclass(frozen=True, slots=True)
class _Contradiction:
    index: int
    expected: str
    found: str
    entry: bytes | None
    is_missing: bool = False


class _Reading:
    def __init__(self, log: ReadLog, advance: Callable[[int], None]) -> None:
        self._log = log
        self._advance = advance
        self._growth = Growth()  # of the entries: which tiles there have to be
        self._entries = CompactRange()
        self._hashes = CompactRange()  # of the tiles
        self._contradiction: _Contradiction | None = None
        self._replaying = True

    async def run(self) -> None:
        log = self._log
        count = -(-log.size // TILE_WIDTH)
        at = 0
        try:
            async with aclosing(_ahead(count, self._fetch)) as parts:
                async for data, tile in parts:
                    self._take_in(at, data, tile)
                    await self._check_upper_tiles(at + TILE_WIDTH >= log.size)
                    width = min(TILE_WIDTH, log.size - at)
                    at += width
                    self._advance(width)
        except ShirushiError as error:
            log.find(Code.LOG_UNREADABLE, index=at, found=str(error))
            self._conclude_contradiction(None)
            return
        self._conclude()

    async def _fetch(self, number: int) -> tuple[bytes, bytes]:
        width = min(TILE_WIDTH, self._log.size - number * TILE_WIDTH)
        source = self._log.source
        return await source.bundle(number, width), await source.tile(Tile(0, number, width))

    def _take_in(self, start: int, data: bytes, tile: bytes) -> None:
        width = min(TILE_WIDTH, self._log.size - start)
        hashes = [tile[n : n + HASH_SIZE] for n in range(0, len(tile), HASH_SIZE)]
        try:
            entries = unbundle(data)
        except InvalidInputError as error:
            entries = []
            self._contradict(_Contradiction(start, "a bundle of entries", str(error), None, is_missing=True))
        leaves = [leaf_hash(entry) for entry in entries]
        for leaf in leaves:
            self._entries.append(leaf)
        for each in hashes:
            self._hashes.append(each)
        if self._contradiction is None and (leaves != hashes or len(leaves) != width):
            self._contradict(_first_contradiction(start, width, entries, leaves, hashes))
        good = width if self._contradiction is None else max(0, self._contradiction.index - start)
        for entry in entries[:good]:
            self._add(entry)
        self._log.root = self._growth.root()

    def _contradict(self, contradiction: _Contradiction) -> None:
        if self._contradiction is None:
            self._contradiction = contradiction

    def _add(self, entry: bytes) -> None:
        """Take in an entry that nothing has contradicted so far."""
        log = self._log
        self._growth.append(entry)
        log.read = self._growth.size
        if self._replaying:
            self._replay(entry)
        if log.read % TILE_WIDTH == 0 or _ends_block(entry):
            log.roots[log.read] = self._growth.root()

    def _replay(self, entry: bytes) -> None:
        try:
            self._log.replay.feed(entry)
        except ReplayError as error:
            self._replaying = False  # what follows cannot be judged
            self._log.find(
                _CODES[error.fault],
                index=error.index,
                expected=error.expected,
                found=error.found,
                entry=entry,
            )

    async def _check_upper_tiles(self, is_last: bool) -> None:
        """Hold the tiles above the entries' own against those that the entries give."""
        files = dict(self._growth.take_files())
        if is_last:
            files.update(self._growth.partial_tiles())
        for path, expected in files.items():
            if self._contradiction is not None:
                return
            if path.startswith(("tile/0/", "tile/entries/")):
                continue
            tile = Tile.from_path(path)
            if tile.width < TILE_WIDTH and not is_last:
                continue
            found = await self._log.source.tile(tile)
            if found != expected:
                self._contradict(_upper_contradiction(tile, expected, found))

    def _conclude(self) -> None:
        log = self._log
        signed = None if log.head is None else log.head.checkpoint.root
        if self._contradiction is not None:
            self._conclude_contradiction(signed)
            return
        if signed is not None and log.root != signed:
            log.find(Code.ROOT_DIFFERS, expected=log.root.hex(), found=signed.hex())
        if self._replaying:
            log.status_root = log.replay.status_root
            if log.size and not log.replay.at_head:
                log.find(Code.NOT_A_HEAD, index=log.size - 1)

    def _conclude_contradiction(self, signed: bytes | None) -> None:
        """Say which of the two is wrong: the one that does not lead to what was signed."""
        wrong = self._contradiction
        if wrong is None:
            return
        entries_lead = self._entries.size == self._log.size and self._entries.root() == signed
        tiles_lead = self._hashes.size == self._log.size and self._hashes.root() == signed
        if entries_lead:
            code = Code.TILE_FORGED
        elif tiles_lead:
            code = Code.ENTRY_MISSING if wrong.is_missing else Code.ENTRY_DIFFERS
        else:
            code = Code.TILES_CONTRADICT
        expected, found = (wrong.found, wrong.expected) if entries_lead else (wrong.expected, wrong.found)
        self._log.find(code, index=wrong.index, expected=expected, found=found, entry=wrong.entry)


def _first_contradiction(
    start: int, width: int, entries: list[bytes], leaves: list[bytes], hashes: list[bytes]
) -> _Contradiction:
    """Return where a bundle and its tile part; `expected` is by the tile, `found` by the entries."""
    both = min(len(leaves), len(hashes))
    offset = next((n for n in range(both) if leaves[n] != hashes[n]), both)
    if len(entries) != width:
        path = entries_path(start // TILE_WIDTH, width)
        return _Contradiction(
            start + offset, f"{width} entries in {path}", f"{len(entries)}", None, is_missing=True
        )
    offset = min(offset, width - 1)  # of a tile with more hashes than it may have
    expected = hashes[offset].hex() if offset < len(hashes) else "no hash"
    return _Contradiction(start + offset, expected, leaves[offset].hex(), entries[offset])


def _upper_contradiction(tile: Tile, expected: bytes, found: bytes) -> _Contradiction:
    offsets = range(tile.width)
    parts = [slice(HASH_SIZE * n, HASH_SIZE * (n + 1)) for n in offsets]
    offset = next((n for n in offsets if expected[parts[n]] != found[parts[n]]), 0)
    index = (tile.index * TILE_WIDTH + offset) << (TILE_HEIGHT * tile.level)
    return _Contradiction(index, found[parts[offset]].hex(), expected[parts[offset]].hex(), None)


def _ends_block(entry: bytes) -> bool:
    if not entry.startswith(b'{"block":'):
        return False
    try:
        StatusEntry.from_bytes(entry)
    except InvalidInputError:
        return False
    return True


async def _ahead(count: int, fetch: Callable[[int], Awaitable[Item]]) -> AsyncGenerator[Item]:
    """Yield what is fetched for 0 .. count - 1, in order, with a few fetched ahead."""
    waiting: deque[asyncio.Future[Item]] = deque()
    following = iter(range(count))
    try:
        while True:
            while len(waiting) < AHEAD and (number := next(following, None)) is not None:
                waiting.append(asyncio.ensure_future(fetch(number)))
            if not waiting:
                return
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

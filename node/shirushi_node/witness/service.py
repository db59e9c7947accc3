"""The witness of one member as a whole: its store, its tasks, its HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TypeVar

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.committed import CommittedBlock, read_block
from shirushi_core.fabric.wire import WireError
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.quorum import SECONDS
from shirushi_node.ledger.clock import Clock, system_clock
from shirushi_node.witness.alarm_checks import AlarmChecks
from shirushi_node.witness.alarms import AlarmBook
from shirushi_node.witness.block_check import check_block
from shirushi_node.witness.deliver import Deliverer
from shirushi_node.witness.follower import Follower
from shirushi_node.witness.metrics import Metrics
from shirushi_node.witness.others import POLL_SECONDS, NoteClient, Others
from shirushi_node.witness.preparing import SharedPreparing, derive_at
from shirushi_node.witness.records import Head
from shirushi_node.witness.server import WitnessServer
from shirushi_node.witness.settings import (
    OtherWitness,
    WitnessKeys,
    WitnessSettings,
    WitnessStatus,
)
from shirushi_node.witness.signer import Signer
from shirushi_node.witness.store import LogStore
from shirushi_node.witness.tick_client import TickClient
from shirushi_node.witness.ticking import Ticker, Turns

__all__ = ["OtherWitness", "WitnessKeys", "WitnessService", "WitnessSettings", "WitnessStatus"]

LOOK_SECONDS = 1.0
"""How often it is looked at whether a new minute has begun."""

REFRESH_PAUSE = 5.0
"""Seconds before the peer is asked again for the sake of a new minute's signature, if it did not answer."""

PROVERS = 2
"""Threads that make proofs."""

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class WitnessService:
    """A member's witness; start() opens it, stop() ends every task and closes what is open.

    A head is signed as soon as it is committed, and the newest one again in each new minute, if the peer says at that
    moment that there is nothing newer: a witness that is cut off from its peer does not vouch for freshness.
    """

    def __init__(
        self,
        settings: WitnessSettings,
        *,
        clock: Clock = system_clock,
        poll_seconds: float = POLL_SECONDS,
        preparing: SharedPreparing | None = None,
    ) -> None:
        """Take settings, and what derives and checks blocks for all where witnesses share a process."""
        self._settings = settings
        self._preparing = preparing
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._port = settings.port
        self._running: _Running | None = None
        self._stack = AsyncExitStack()

    @property
    def address(self) -> str:
        """Where it is served: host:port."""
        return f"{self._settings.host}:{self._port}"

    async def start(self) -> None:
        """Open the store, serve, and follow the peer.

        Raises WitnessError (folder in use or damaged, address in use) or InvalidInputError (a genesis block or TLS root that is
        none). Does not wait for the peer or the other witnesses.
        """
        try:
            genesis = read_block(self._settings.genesis)
        except WireError:
            raise InvalidInputError("the genesis block is no common.Block") from None
        async with AsyncExitStack() as stack:
            running = _Running(self._settings, self._clock, self._poll_seconds, self._preparing)
            await running.open(genesis, stack)
            server = WitnessServer(running)
            owner = f"the witness of {self._settings.member_id}"
            self._port = await server.start(
                self._settings.host, self._settings.port, self._settings.tls, owner
            )
            stack.push_async_callback(server.stop)
            task = asyncio.create_task(running.run(), name=owner)
            stack.push_async_callback(running.end, task)
            self._stack = stack.pop_all()
        self._running = running

    async def stop(self) -> None:
        """End all tasks, stop serving, close the store; bounded in time."""
        self._running = None
        await self._stack.aclose()

    def status(self) -> WitnessStatus:
        """Return where the witness stands, also when it is stopped."""
        if self._running is None:
            return WitnessStatus(False, 0, 0, None, None, "it is not running", ())
        return self._running.status()


class _Running:
    """The parts of a witness whose store is open; what the HTTP server asks."""

    store: LogStore

    def __init__(
        self,
        settings: WitnessSettings,
        clock: Clock,
        poll_seconds: float,
        preparing: SharedPreparing | None,
    ) -> None:
        self._settings = settings
        self._preparing = preparing
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._writing = ThreadPoolExecutor(1, f"witness-{settings.member_id}")
        self._proving = ThreadPoolExecutor(PROVERS, f"proofs-{settings.member_id}")
        self._metrics = Metrics(other.member_id for other in settings.others)
        self._changed = asyncio.Event()  # replaced at each commit and signature
        self._refreshing = asyncio.Lock()
        self._refresh_failed: float | None = None  # of the loop's clock
        self._broken: str | None = None

    async def open(self, genesis: CommittedBlock, stack: AsyncExitStack) -> None:
        """Open everything, to be closed with the stack."""
        settings = self._settings
        self.store = await asyncio.to_thread(LogStore.open, settings.folder, genesis)
        stack.callback(self.store.close)
        for executor in (self._writing, self._proving):  # which end before the store is closed
            stack.push_async_callback(asyncio.to_thread, executor.shutdown)
        if self.store.ledger != settings.ledger:
            raise InvalidInputError(
                f"the genesis block is of ledger {self.store.ledger}, expected {settings.ledger}"
            )
        self._book = AlarmBook(settings.folder)
        check = check_block if self._preparing is None else self._preparing.check
        checks = AlarmChecks(check, self.store.config_block, self._book, f"alarms-{settings.member_id}")
        await asyncio.to_thread(checks.start)
        stack.push_async_callback(asyncio.to_thread, checks.stop)
        self.checks = checks
        self._signer = Signer(settings, self.store, self._clock)
        client = NoteClient(settings.others)
        stack.push_async_callback(client.close)
        deliverer = Deliverer(settings, self._clock)
        stack.push_async_callback(deliverer.close)
        self._follower = Follower(
            deliverer,
            self.store,
            self._signer,
            self._writing,
            self._announce,
            checks,
            self._book,
            derive_at if self._preparing is None else self._preparing.derive,
        )
        ticks = TickClient(settings)
        stack.push_async_callback(ticks.close)
        turns = Turns.of(settings.member_id, (other.member_id for other in settings.others))
        self._ticker = Ticker(turns, ticks.tick, self._time_to_tick, self._clock)
        self._others = Others(
            settings, client, self.store, self._signer, self._writing, self._metrics, self._clock
        )

    async def end(self, task: asyncio.Task[None]) -> None:
        """End the task that runs all others."""
        self._follower.end_soon()
        task.cancel()
        await asyncio.wait([task])

    async def prove(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._proving, work)

    async def run(self) -> None:
        """Run all tasks until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follower.run())
                tasks.create_task(self._watch_minutes())
                tasks.create_task(self._ticker.run())
                tasks.create_task(self._others.watch(self._poll_seconds))
                await self._others.find_signed_before()
                while self._follower.level:
                    try:
                        await self._follower.sign_newest()
                        break
                    except Exception:
                        _log.exception("the newest head could not be signed; trying again")
                        await asyncio.sleep(REFRESH_PAUSE)
        except Exception as error:
            # Whatever it was: a witness of which a part has ended signs no more.
            self._broken = f"a part of it has ended: {error}"
            _log.exception("the witness of %s stops", self._settings.member_id)

    def status(self) -> WitnessStatus:
        """Return where the witness stands."""
        return WitnessStatus(
            running=self._broken is None,
            size=self.store.size,
            block=self.store.place.next_block,
            peer_height=self._follower.peer_height,
            last_cosigned=self._signer.last_time,
            refusing=self._refusing(),
            disagreeing=self._others.disagreeing,
            version=self.store.place.rules.number or 0,
            time=self.store.time,
            trouble=self._follower.trouble,
            ticking=self._ticker.problem,
            alarms=self._book.counts,
        )

    async def newest_note(self) -> SignedNote | None:
        if self._minute_is_over():
            await self._refresh()
        newest = self.store.signed.newest
        return None if newest is None else newest.note

    def note(self, head: Head) -> SignedNote:
        return self._signer.note(head)

    def note_of(self, member_id: str) -> SignedNote | None:
        if member_id == self._settings.member_id:
            newest = self.store.signed.newest
            return None if newest is None else newest.note
        return self.store.signed.other(member_id)

    async def wait_until(self, reached: Callable[[], bool], seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    changed = self._changed
                    if reached():
                        return
                    await changed.wait()

    def is_signed(self, head: Head) -> bool:
        newest = (
            self.store.signed.newest
        )  # smaller ones were passed over while catching up, and are never signed
        return newest is not None and newest.checkpoint.size >= head.size

    def health(self) -> tuple[bool, Json]:
        status = self.status()
        newest = self._book.newest
        details: dict[str, Json] = {
            "alarms": dict(status.alarms),
            "newest_alarm": None
            if newest is None
            else {"block": newest.block, "kind": newest.kind.value, "sentence": newest.sentence},
            "rules": status.version,
            "ticking": status.ticking,
            "time": status.time,
            "trouble": status.trouble,
            "block": status.block,
            "disagreeing": list(status.disagreeing),
            "last_cosigned": status.last_cosigned,
            "peer_height": status.peer_height,
            "refusing": status.refusing,
            "size": status.size,
        }
        return status.refusing is None, details

    def metrics_text(self) -> bytes:
        return self._metrics.text(self.status())

    def count(self, status: int) -> None:
        self._metrics.requests.labels(str(status)).inc()

    def _refusing(self) -> str | None:
        """Say why nothing is signed now, the gravest reason first."""
        refusal, follower = self._signer.refusal, self._follower
        if refusal is not None and refusal.for_good:
            return refusal.sentence
        if self._broken is not None:
            return self._broken
        if follower.problem is not None:
            return follower.problem
        if refusal is not None:
            return refusal.sentence
        if not follower.live:
            height = "unknown" if follower.peer_height is None else follower.peer_height
            return f"it is catching up: {self.store.place.next_block} blocks of {height} are taken in"
        age = self._signer.age_refusal
        return None if age is None else age.sentence

    def _time_to_tick(self) -> int | None:
        """Return the log's time while this witness is level with its peer, and the rules in force know ticks."""
        return self.store.time if self._follower.level else None

    async def _watch_minutes(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._minute_is_over():
                await self._refresh()

    def _minute_is_over(self) -> bool:
        newest = self.store.signed.newest
        return newest is not None and int(self._clock().timestamp()) // SECONDS > newest.time // SECONDS

    async def _refresh(self) -> None:
        """Sign the newest head again, if the peer says now that it is the newest."""
        async with self._refreshing:
            now = asyncio.get_running_loop().time()
            just_failed = self._refresh_failed is not None and now < self._refresh_failed + REFRESH_PAUSE
            if not self._minute_is_over() or self._signer.refusal is not None or just_failed:
                return
            self._refresh_failed = None
            if await self._follower.ask_now():
                try:
                    await self._follower.sign_newest()
                    return
                except Exception as error:  # a full disk: a moment's trouble, and said
                    _log.warning("the newest head could not be signed: %s", ascii(str(error))[1:-1])
            self._refresh_failed = asyncio.get_running_loop().time()

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

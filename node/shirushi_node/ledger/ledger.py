"""The channel: ordering, validation and commit, and those who wait for blocks."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fabric_protos.common import common_pb2

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.block import bft_quorum, new_block, sign_block
from shirushi_core.fabric.channel_config import ChannelConfig, from_config_block
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.committer import commit_block
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.examination import Examined
from shirushi_node.ledger.ordering import BlockCutter, OrdererIdentity, OrderingError, check_envelope
from shirushi_node.ledger.store import LedgerStore
from shirushi_node.ledger.validation import Validator

__all__ = ["Channel", "ChannelStoppedError", "OrdererIdentity", "OrderingError"]

QUIET_SECONDS = 0.005
"""A block is cut once nothing has arrived for this long, or the channel's batch timeout is over, or it is full.

A lone transaction waits no longer than this; under load blocks fill up by themselves.
"""

STOP_SECONDS = 10.0
"""How long stop() lets queued transactions be committed."""

NONCE_BYTES = 24

_log = logging.getLogger(__name__)


class ChannelStoppedError(ShirushiError):
    """The channel was stopped while something waited on it."""


class Channel:
    """One channel of the embedded ledger: what every member's endpoints stand on.

    All members share one committed ledger: the embedded engine is one machine by definition. Orderers sign each block
    with a BFT quorum of the members' orderer identities.
    """

    name: str
    store: LedgerStore
    definitions: dict[str, ChaincodeDefinition]

    def __init__(
        self,
        path: Path,
        genesis: common_pb2.Block,
        orderers: Sequence[OrdererIdentity],
        definitions: Sequence[ChaincodeDefinition],
        *,
        clock: Clock,
        queue_limit: int = 4096,
    ) -> None:
        """Take over what the channel is made of; raises InvalidInputError if it does not fit together."""
        self._path = path
        self._genesis = genesis
        self._clock = clock
        self._config = from_config_block(genesis)
        self.name = self._config.channel_id
        self.definitions = {definition.name: definition for definition in definitions}
        if len(self.definitions) != len(definitions):
            raise InvalidInputError("two chaincode definitions have the same name")
        self._validator = Validator(self._config, self.definitions)
        self._validator.check_definitions()
        self._orderers = {each.consenter_id: each for each in orderers}
        self._quorum = bft_quorum(len(self._config.consenters))
        self._check_orderers()
        self._running = set(self._orderers)
        self._cutter = BlockCutter(self._config.batch, queue_limit)
        self._changed = asyncio.Event()  # the queue, the running orderers, or whether to stop
        self._announced = asyncio.Event()  # replaced at every block
        self._stopping = ""  # why no transactions are taken
        self._started = False
        self._ended = True
        self._task: asyncio.Task[None] | None = None
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="committer")

    @property
    def config(self) -> ChannelConfig:
        """The channel configuration in force."""
        return self._config

    async def start(self) -> None:
        """Open the store and start ordering; raises StoreError."""
        loop = asyncio.get_running_loop()
        self.store = await loop.run_in_executor(self._committer, LedgerStore.open, self._path, self._genesis)
        self._started, self._ended = True, False
        self._task = asyncio.create_task(self._order_blocks(), name=f"ordering of {self.name}")

    async def stop(self) -> None:
        """Commit what is queued (bounded in time), stop ordering, wake all waiters, close the store."""
        task, self._task = self._task, None
        self._stopping = self._stopping or "it is stopping"
        self._changed.set()
        if task is not None:
            done, _ = await asyncio.wait([task], timeout=STOP_SECONDS)
            if not done:
                task.cancel()
                await asyncio.wait([task])
        self._committer.shutdown(wait=True)
        if task is not None:
            self.store.close()

    def set_orderer_running(self, consenter_id: int, running: bool) -> None:
        """Say that a member's orderer runs or not: without a quorum nothing is ordered, and what waits keeps waiting."""
        if consenter_id not in self._orderers:
            raise InvalidInputError(
                f"channel {self.name} has no orderer with the consenter id {consenter_id}"
            )
        if running:
            self._running.add(consenter_id)
        else:
            self._running.discard(consenter_id)
        self._changed.set()

    async def order(self, envelope: bytes) -> None:
        """Check an envelope as an orderer does and queue it; returns once it is accepted, raises OrderingError."""
        if self._stopping or self._task is None:
            raise OrderingError(
                f"channel {self.name} takes no transactions: {self._stopping or 'it is not started'}",
                common_pb2.SERVICE_UNAVAILABLE,
            )
        if len(self._running) < self._quorum:
            raise OrderingError(
                f"channel {self.name} takes no transactions: {len(self._running)} of its "
                f"{len(self._config.consenters)} orderers are running, and {self._quorum} are needed",
                common_pb2.SERVICE_UNAVAILABLE,
            )
        self._cutter.check_room(len(envelope))  # first, for refusing has to be cheap
        self._cutter.add(check_envelope(envelope, self._config, self._clock()))
        self._changed.set()

    async def wait_for_height(self, height: int) -> None:
        """Return once at least `height` blocks are committed and durable; ends with ChannelStoppedError on stop."""
        while not self._ended and self.store.height < height:
            await self._announced.wait()
        if not self._started or self.store.height < height:
            raise ChannelStoppedError(f"channel {self.name} was stopped before block {height - 1}")

    def _check_orderers(self) -> None:
        consenters = {each.id: each for each in self._config.consenters}
        for consenter_id, orderer in self._orderers.items():
            consenter = consenters.get(consenter_id)
            identity = orderer.identity.identity
            if consenter is None or (consenter.msp_id, consenter.identity_pem) != (
                identity.msp_id,
                identity.certificate_pem,
            ):
                raise InvalidInputError(
                    f"the orderer of {identity.msp_id} is not consenter {consenter_id} of channel {self.name}"
                )
        if len(self._orderers) < self._quorum:
            raise InvalidInputError(
                f"channel {self.name} needs {self._quorum} orderers to sign its blocks; {len(self._orderers)} given"
            )

    async def _order_blocks(self) -> None:
        """Cut and commit one block after the other until told to stop."""
        loop = asyncio.get_running_loop()
        try:
            while signers := await self._next_signers():
                transactions = self._cutter.cut()
                await loop.run_in_executor(self._committer, self._commit, transactions, signers)
                self._cutter.committed(transactions)
                announced, self._announced = self._announced, asyncio.Event()
                announced.set()
        except Exception as error:
            # Whatever it was: a ledger that could not write one block must not go on to the next.
            _log.exception("channel %s stops", self.name)
            self._stopping = f"it has stopped because a block could not be committed: {error}"
        finally:
            self._ended = True
            self._announced.set()

    async def _next_signers(self) -> list[OrdererIdentity]:
        """Wait until a block can be cut and a quorum of orderers runs; return those who sign it, or [] to stop."""
        while True:
            await self._wait_for_company()
            if len(self._cutter) and len(self._running) >= self._quorum:
                return self._signers()
            if self._stopping:
                return []
            self._changed.clear()
            await self._changed.wait()

    async def _wait_for_company(self) -> None:
        """Give further transactions the time to join a block, if there is one to join."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._config.batch.timeout_seconds
        while len(self._cutter) and not self._cutter.full and not self._stopping and loop.time() < deadline:
            self._changed.clear()
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                return

    def _signers(self) -> list[OrdererIdentity]:
        """Return a quorum of the running orderers, a different one for each block."""
        running = sorted(self._running)
        first = self.store.height % len(running)
        chosen = (running[first:] + running[:first])[: self._quorum]
        return [self._orderers[consenter_id] for consenter_id in sorted(chosen)]

    def _commit(self, transactions: Sequence[Examined], signers: Sequence[OrdererIdentity]) -> None:
        """Make, sign, validate and store a block; returns once it is durable (in the committer's thread)."""
        store = self.store
        number = store.height
        block = new_block(number, store.last_header_hash, [each.data for each in transactions])
        sign_block(
            block,
            last_config=store.last_config_block,
            orderers=[(each.consenter_id, each.identity) for each in signers],
            nonces=[secrets.token_bytes(NONCE_BYTES) for _ in signers],
        )
        commit_block(store, self._validator, block, transactions)

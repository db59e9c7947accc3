"""A consortium's ledger filled with anchors quickly: whole blocks of the contract's transactions, into the peers' own store.

Every transaction is a real one (growth_transactions.py), every block is signed by a quorum of the orderers and written by the
store that the embedded node writes with: state, history, indexes, commit hash. Left out are the orderers' queue and the peers'
judgement of transactions that were made to be valid; witnesses that read the blocks afterwards judge each of them in full. So
what a filled ledger costs to hold, to read and to go on from is what it costs when it was filled by clients.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import secrets
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2

from shirushi_benchmarks.profiles.growth_transactions import (
    CERTIFICATES,
    FilledTransaction,
    GrowthError,
    KnownBatch,
    KnownState,
    TransactionMaker,
)
from shirushi_client.profile import load_profile
from shirushi_client.session import ISSUER
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import bft_quorum, new_block, sign_block
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.fabric.rwset import NamespaceRwSet
from shirushi_network.embedded import CHAINCODE, member_node
from shirushi_network.layout import Layout
from shirushi_network.topology_file import read_topology
from shirushi_node.ledger.ledger import NONCE_BYTES
from shirushi_node.ledger.ordering import OrdererIdentity
from shirushi_node.ledger.store import LedgerStore, VersionedValue

BLOCK = 100
"""Anchors in a block: batches, and one certificate revoked of a batch in the block before."""

BLOCKS_AHEAD = 4
"""Blocks that wait for each process that makes them."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a ledger holds: anchors, and the certificates that its batches claim."""

    anchors: int
    batches: int
    height: int

    @property
    def certificates(self) -> int:
        """How many certificates the batches stand for."""
        return self.batches * CERTIFICATES


def fill(layout: Layout, anchors: int, progress: Progress) -> Filled:
    """Fill the ledger of a consortium that is down up to a number of anchors, to whole blocks; what is there counts.

    Raises GrowthError, StoreError if the consortium is up.
    """
    with opened(layout) as store:
        found = count(store)
        missing = -(-max(0, anchors - found.anchors) // BLOCK)
        if not missing:
            return found
        progress(f"filling the ledger from {found.anchors} to {anchors} anchors")
        orderers, last_config = _orderers(layout), store.last_config_block
        known: KnownBatch | None = None
        maker = TransactionMaker(layout)
        with closing(_made_blocks(layout, _issuer_record(layout, store), missing)) as blocks:
            for number, (transactions, following) in enumerate(blocks, start=1):
                if known is not None:
                    transactions[-1] = _revoked(maker, store, known)
                _commit(store, transactions, orderers, last_config)
                known = following
                if number % max(10, missing // 20) == 0:
                    progress(f"filled {number * BLOCK} of {missing * BLOCK} anchors")
        return count(store)


def count(store: LedgerStore) -> Filled:
    """Count what a store holds."""
    with store.snapshot() as state:
        batches = sum(1 for _ in state.range(CHAINCODE, "batch/", "batch0"))
        statuses = sum(1 for _ in state.range(CHAINCODE, "status/", "status0"))
    return Filled(batches + statuses, batches, store.height)


@contextmanager
def opened(layout: Layout) -> Iterator[LedgerStore]:
    """Open the store of a consortium that is down; raises StoreError."""
    genesis = common_pb2.Block.FromString(layout.genesis.read_bytes())
    with closing(LedgerStore.open(layout.ledger, genesis)) as store:
        yield store


def allocated_bytes(folder: Path) -> int:
    """Return what a folder takes on the disk, in whole blocks of the file system."""
    return sum(512 * file.stat().st_blocks for file in folder.rglob("*") if file.is_file())


def _made_blocks(
    layout: Layout, issuer: VersionedValue, blocks: int
) -> Generator[tuple[list[FilledTransaction], KnownBatch], None, None]:
    """Yield the transactions of blocks, made in as many processes as there are cores."""
    workers = os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    waiting: deque[Future[tuple[list[FilledTransaction], KnownBatch]]] = deque()
    with ProcessPoolExecutor(workers, context, _begin, (layout, issuer)) as pool:
        for number in range(blocks):
            waiting.append(pool.submit(_make_block))
            if len(waiting) == workers * BLOCKS_AHEAD or number == blocks - 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_worker: tuple[TransactionMaker, KnownState]  # of a process that makes transactions


def _begin(layout: Layout, issuer: VersionedValue) -> None:
    global _worker  # how a pool's process keeps what it was begun with
    _worker = TransactionMaker(layout), KnownState({(CHAINCODE, _issuer_key(layout)): issuer})


def _make_block() -> tuple[list[FilledTransaction], KnownBatch]:
    return asyncio.run(_issuances(*_worker))


async def _issuances(
    maker: TransactionMaker, state: KnownState
) -> tuple[list[FilledTransaction], KnownBatch]:
    """Return a block of batches: of one the commitments are known, of the others only what a ledger sees, the root."""
    known, root = maker.known_batch()
    roots = [root, *(os.urandom(32) for _ in range(BLOCK - 1))]
    return [await maker.issuance(state, each) for each in roots], known


def _revoked(maker: TransactionMaker, store: LedgerStore, batch: KnownBatch) -> FilledTransaction:
    with store.snapshot() as state:
        return asyncio.run(maker.revocation(state, batch))


def _issuer_record(layout: Layout, store: LedgerStore) -> VersionedValue:
    """Return what an issuance reads that is there already: the issuer's record."""
    key = _issuer_key(layout)
    with store.snapshot() as state:
        record = state.get(CHAINCODE, key)
    if record is None:
        raise GrowthError(
            f"expected {key} in the ledger of {layout.root}, found none: bring the consortium up once, and down again"
        )
    return VersionedValue(record.value, record.version, dict(record.metadata))


def _issuer_key(layout: Layout) -> str:
    return f"issuer/{load_profile(layout.root, ISSUER).issuer_id()}"


def _orderers(layout: Layout) -> list[OrdererIdentity]:
    """Return a quorum of the orderers, by the genesis block; raises GrowthError."""
    try:
        config = from_config_block(common_pb2.Block.FromString(layout.genesis.read_bytes()))
    except InvalidInputError as error:
        raise GrowthError(f"{layout.genesis} is no genesis block: {error}") from None
    members = read_topology(layout.topology).members
    found = [member_node(layout, member, config.consenters).orderer_identity for member in members]
    return sorted(found, key=lambda each: each.consenter_id)[: bft_quorum(len(found))]


def _commit(
    store: LedgerStore,
    transactions: Sequence[FilledTransaction],
    orderers: Sequence[OrdererIdentity],
    last_config: int,
) -> None:
    block = new_block(store.height, store.last_header_hash, [each.data for each in transactions])
    sign_block(
        block,
        last_config=last_config,
        orderers=[(each.consenter_id, each.identity) for each in orderers],
        nonces=[secrets.token_bytes(NONCE_BYTES) for _ in orderers],
    )
    writes: list[tuple[int, tuple[NamespaceRwSet, ...]]] = [
        (number, each.rw_sets) for number, each in enumerate(transactions)
    ]
    store.commit(
        block,
        [transaction_pb2.VALID] * len(transactions),
        [each.tx_id for each in transactions],
        writes,
        [(each.seconds, 0) for each in transactions],
    )

"""Checking a block and deriving its entries: pure work, done once for all witnesses that share a process.

Each member's witness has the same to do with the same block. Where they run in one process, as in the embedded consortium, the
first does it and the others take what came out, if they stand at the same place and were given the same bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from hashlib import sha256
from typing import TypeAlias

from fabric_protos.common import common_pb2

from shirushi_node.witness.block_check import ChainState, check_block
from shirushi_node.witness.derivation import derive
from shirushi_node.witness.store import Block

KEPT = 64
"""Blocks remembered for those that come later."""

Prepare: TypeAlias = Callable[[ChainState, common_pb2.Block], Block]

_Key: TypeAlias = tuple[int, bytes, bytes, bytes]


def prepare_block(chain: ChainState, block: common_pb2.Block) -> Block:
    """Return a block checked and derived, without its transactions, which take several times its size; raises WitnessError."""
    checked = check_block(chain, block)
    derived = derive(checked)
    return Block(replace(checked, transactions=()), derived)


class SharedPreparing:
    """Prepares each block once, however many witnesses ask, from whichever threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: OrderedDict[_Key, Future[Block]] = OrderedDict()

    def __call__(self, chain: ChainState, block: common_pb2.Block) -> Block:
        """Return a block checked and derived, or wait for whoever is at it; raises WitnessError."""
        digest = sha256(block.SerializeToString()).digest()
        key = (chain.next_number, chain.header_hash, chain.commit_hash, digest)
        own: Future[Block] = Future()
        with self._lock:
            prepared = self._done.setdefault(key, own)
            while len(self._done) > KEPT:
                self._done.popitem(last=False)
        if prepared is own:
            try:
                own.set_result(prepare_block(chain, block))
            except BaseException as error:
                own.set_exception(error)
        return prepared.result()

"""Deriving what a block says, and checking it for alarms: pure work, done once for all witnesses that share a process.

Each member's witness has the same to do with the same block. Where they run in one process, as in the embedded consortium, the
first does it and the others take what came out, if they stand at the same place and were given the same bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeAlias, TypeVar

from shirushi_core.fabric.committed import CommittedBlock
from shirushi_node.witness.alarms import Alarm
from shirushi_node.witness.block_check import Configuration, check_block
from shirushi_node.witness.derivation import Derived, derive
from shirushi_node.witness.records import Place

KEPT = 64
"""Blocks remembered for those that come later."""

Derive: TypeAlias = Callable[[CommittedBlock, str, Place], Derived]
Check: TypeAlias = Callable[[CommittedBlock, Place, Configuration], tuple[Alarm, ...]]
Result = TypeVar("Result")


def derive_at(block: CommittedBlock, ledger: str, place: Place) -> Derived:
    """Return what a block says at its place; raises UnknownRulesError."""
    return derive(block, ledger, place.rules)


class _Shared(Generic[Result]):
    """Does each work once, whoever asks, from whichever threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: OrderedDict[Hashable, Future[Result]] = OrderedDict()

    def get(self, key: Hashable, work: Callable[[], Result]) -> Result:
        """Return what the work under this key gave, or wait for whoever is at it."""
        own: Future[Result] = Future()
        with self._lock:
            shared = self._done.setdefault(key, own)
            while len(self._done) > KEPT:
                self._done.popitem(last=False)
        if shared is own:
            try:
                own.set_result(work())
            except BaseException as error:
                with self._lock:  # what failed may be this moment's trouble: the next one tries again
                    self._done.pop(key, None)
                own.set_exception(error)
        return shared.result()


class SharedPreparing:
    """Derives and checks each block once, however many witnesses ask."""

    def __init__(self) -> None:
        self._derived: _Shared[Derived] = _Shared()
        self._checked: _Shared[tuple[Alarm, ...]] = _Shared()

    def derive(self, block: CommittedBlock, ledger: str, place: Place) -> Derived:
        """Return what a block says at its place; raises UnknownRulesError."""
        key = (ledger, place.next_block, place.rules, block.digest)
        return self._derived.get(key, lambda: derive_at(block, ledger, place))

    def check(self, block: CommittedBlock, place: Place, configuration: Configuration) -> tuple[Alarm, ...]:
        """Return what is to be said about a block."""
        key = (place, configuration.digest, block.digest)
        return self._checked.get(key, lambda: check_block(block, place, configuration))

"""Blocks of a chain derived and checked one after the other, as a witness does it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shirushi_core.fabric.committed import CommittedBlock, read_block
from shirushi_node.witness.alarms import Alarm
from shirushi_node.witness.block_check import Configuration, check_block, read_configuration
from shirushi_node.witness.derivation import Derived, derive
from shirushi_node.witness.follower import prepare
from shirushi_node.witness.log_writer import NotJudged
from shirushi_node.witness.records import Head, Place
from shirushi_node.witness.store import LogStore, ledger_of


@dataclass(frozen=True)
class Followed:
    """A block, where it stands, what it says and what is to be said about it."""

    committed: CommittedBlock
    before: Place
    derived: Derived
    configuration: Configuration
    alarms: tuple[Alarm, ...]

    @property
    def after(self) -> Place:
        return self.before.after(self.committed, self.derived)


def committed(block: Any) -> CommittedBlock:
    return read_block(block.SerializeToString())


def follow(blocks: Sequence[Any]) -> list[Followed]:
    """Derive and check blocks one after the other, from the genesis block on, which is not among what is returned."""
    genesis = committed(blocks[0])
    ledger, place = ledger_of(genesis), Place.after_genesis(genesis)
    configuration = read_configuration(genesis.data)
    done = []
    for block in map(committed, blocks[1:]):
        derived = derive(block, ledger, place.rules)
        done.append(Followed(block, place, derived, configuration, check_block(block, place, configuration)))
        place = done[-1].after
        if derived.brings_config:
            configuration = read_configuration(block.data)
    return done


@dataclass(frozen=True)
class Logged:
    """What a witness's log has after a chain's blocks."""

    entries: list[bytes]
    heads: list[Head]
    unjudged: list[NotJudged]
    status_root: bytes
    time: int | None


def log_of(blocks: Sequence[Any], folder: Path) -> Logged:
    """Derive a log from blocks, each committed by itself, in a store in a folder."""
    with closing(LogStore.open(folder, committed(blocks[0]))) as store:
        heads: list[Head] = []
        unjudged: list[NotJudged] = []
        for block in map(committed, blocks[1:]):
            ready, error = prepare(store, [block], lambda: False)
            if error is not None:
                raise error
            done = store.commit(ready)
            heads += done.heads
            unjudged += done.unjudged
        entries = [store.entry(index) for index in range(store.size)]
        return Logged(entries, heads, unjudged, store._position.status_root, store.time)

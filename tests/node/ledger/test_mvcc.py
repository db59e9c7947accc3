"""Random transactions through simulation, conflict checks and the store, against a model that re-reads everything."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import pytest
from fabric_protos.peer import transaction_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.consortium import Consortium
from tests.support.memory_state import MemoryState

from shirushi_core.fabric.block import new_block, sign_block
from shirushi_core.fabric.rwset import NamespaceRwSet, RangeRead, Version, Write, decode, encode
from shirushi_node.ledger.mvcc import read_conflict
from shirushi_node.ledger.simulator import Simulator
from shirushi_node.ledger.state_changes import StateChanges
from shirushi_node.ledger.store import LedgerStore, Snapshot

VALID, MVCC, PHANTOM = (
    transaction_pb2.VALID,
    transaction_pb2.MVCC_READ_CONFLICT,
    transaction_pb2.PHANTOM_READ_CONFLICT,
)
Model: TypeAlias = dict[str, tuple[bytes, Version, bytes]]  # value, version, policy

KEYS = ["a", "b", "c", "d", "e"]
keys = st.sampled_from(KEYS)
operations = st.one_of(
    st.tuples(st.just("get"), keys),
    st.tuples(st.just("put"), keys),
    st.tuples(st.just("del"), keys),
    st.tuples(st.just("guard"), keys),
    st.tuples(st.just("unguard"), keys),
    st.tuples(
        st.just("range"), st.sampled_from(["", *KEYS]), st.sampled_from(["", *KEYS]), st.integers(1, 6)
    ),
)


@dataclass
class Planned:
    age: int  # how many blocks old the state was that it was simulated on
    operations: list[tuple[object, ...]]


plans = st.lists(
    st.lists(st.builds(Planned, st.integers(0, 2), st.lists(operations, max_size=4)), min_size=1, max_size=4),
    min_size=1,
    max_size=5,
)


@dataclass
class Seen:
    """What a transaction saw of a model, and what it does to one."""

    reads: dict[str, Version | None] = field(default_factory=dict)
    ranges: list[tuple[str, str, list[tuple[str, Version]], bool]] = field(default_factory=list)
    values: dict[str, bytes | None] = field(default_factory=dict)
    policies: dict[str, bytes] = field(default_factory=dict)


def between(model: Model, start: str, end: str) -> list[tuple[str, Version]]:
    return [(key, model[key][1]) for key in sorted(model) if start <= key and (not end or key < end)]


def look(model: Model, planned: Planned, value: bytes) -> Seen:
    seen = Seen()
    for kind, key, *rest in planned.operations:
        assert isinstance(key, str)
        if kind == "get":
            seen.reads[key] = model[key][1] if key in model else None
        elif kind == "put":
            seen.values[key] = value
        elif kind == "del":
            seen.values[key] = None
        elif kind == "guard":
            seen.policies[key] = value
        elif kind == "unguard":
            seen.policies[key] = b""
        else:
            end, count = rest
            found = between(model, key, end)  # type: ignore[arg-type]
            seen.ranges.append((key, end, found[:count], len(found) < count))  # type: ignore[index,operator,arg-type]
    return seen


def expected_code(model: Model, touched: set[str], seen: Seen) -> int:
    for key, version in seen.reads.items():
        if key in touched or version != (model[key][1] if key in model else None):
            return int(MVCC)
    for start, end, found, exhausted in seen.ranges:
        now = between(model, start, end)
        if not exhausted:
            now = [each for each in now if each[0] <= found[-1][0]]
        if now != found:
            return int(PHANTOM)
    return int(VALID)


def take_effect(model: Model, touched: set[str], seen: Seen, version: Version) -> None:
    for key in sorted({*seen.values, *seen.policies}):
        old = model.get(key)
        value = seen.values[key] if key in seen.values else (old[0] if old else None)
        policy = seen.policies.get(key, old[2] if old else b"")
        if key in seen.values or old is not None:
            touched.add(key)
        if value is None:
            model.pop(key, None)
        else:
            model[key] = (value, version, policy)


def simulate(snapshot: Snapshot, planned: Planned, value: bytes) -> NamespaceRwSet:
    simulator = Simulator(snapshot)
    for kind, key, *rest in planned.operations:
        assert isinstance(key, str)
        if kind == "get":
            simulator.get_state("cc", key)
        elif kind == "put":
            simulator.put_state("cc", key, value)
        elif kind == "del":
            simulator.del_state("cc", key)
        elif kind == "guard":
            simulator.set_metadata("cc", key, {"VALIDATION_PARAMETER": value})
        elif kind == "unguard":
            simulator.set_metadata("cc", key, {})
        else:
            end, count = rest
            simulator.range_query("cc", key, end).fetch(count)  # type: ignore[arg-type]
    simulator.close()
    return next(iter(simulator.results()), NamespaceRwSet("cc"))


@given(plans)
@settings(max_examples=120, deadline=None)
def test_conflicts_and_state_agree_with_a_naive_model(
    consortium: Consortium, blocks: list[list[Planned]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = LedgerStore.open(Path(folder) / "ledger", consortium.genesis)
        model: Model = {}
        snapshots, models = [store.snapshot()], [dict(model)]
        try:
            for planned_block in blocks:
                number = store.height
                changes = StateChanges(snapshots[-1])
                touched: set[str] = set()
                codes, valid = [], []
                for tx, planned in enumerate(planned_block):
                    value = b"%d-%d" % (number, tx)
                    age = max(-len(snapshots), -1 - planned.age)
                    rw_sets = decode(encode([simulate(snapshots[age], planned, value)]))
                    code = read_conflict(rw_sets, changes)
                    seen = look(models[age], planned, value)
                    assert code == expected_code(model, touched, seen)
                    codes.append(code)
                    if code == VALID:
                        changes.apply(Version(number, tx), rw_sets)
                        take_effect(model, touched, seen, Version(number, tx))
                        valid.append((tx, rw_sets))
                block = new_block(number, store.last_header_hash, [b"tx"] * len(codes))
                sign_block(block, last_config=0, orderers=[], nonces=[])
                store.commit(block, codes, [""] * len(codes), valid, [(0, 0)] * len(codes))
                snapshots.append(store.snapshot())
                models.append(dict(model))
                committed = {
                    key: (each.value, each.version, each.metadata.get("VALIDATION_PARAMETER", b""))
                    for key, each in snapshots[-1].range("cc", "", "")
                }
                assert committed == model
        finally:
            for snapshot in snapshots:
                snapshot.close()
            store.close()


@pytest.fixture
def changes() -> StateChanges:
    state = MemoryState()
    for number, key in enumerate(KEYS):
        state.put("cc", key, b"1", Version(1, number))
    return StateChanges(state)


def reading(
    *, keys: dict[str, Version | None] | None = None, ranges: tuple[RangeRead, ...] = ()
) -> list[NamespaceRwSet]:
    return [NamespaceRwSet("cc", reads=keys or {}, range_reads=ranges)]


def test_unchanged_reads_are_valid(changes: StateChanges) -> None:
    whole = RangeRead("a", "c", True, (("a", Version(1, 0)), ("b", Version(1, 1))))
    assert read_conflict(reading(keys={"a": Version(1, 0), "x": None}, ranges=(whole,)), changes) == VALID


@pytest.mark.parametrize("version", [None, Version(0, 0), Version(1, 1)])
def test_another_version_is_a_conflict(changes: StateChanges, version: Version | None) -> None:
    assert read_conflict(reading(keys={"a": version}), changes) == MVCC


def test_a_key_deleted_earlier_in_the_block_is_a_conflict_even_if_it_never_was_there(
    changes: StateChanges,
) -> None:
    changes.apply(Version(2, 0), [NamespaceRwSet("cc", writes=(Write("x", None),))])
    assert read_conflict(reading(keys={"x": None}), changes) == MVCC


def test_writes_of_another_namespace_do_not_conflict(changes: StateChanges) -> None:
    changes.apply(Version(2, 0), [NamespaceRwSet("other", writes=(Write("a", b"2"),))])
    assert read_conflict(reading(keys={"a": Version(1, 0)}), changes) == VALID


PARTIAL = RangeRead("a", "b", False, (("a", Version(1, 0)), ("b", Version(1, 1))))


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (Write("aa", b"2"), PHANTOM),
        (Write("a", None), PHANTOM),
        (Write("b", b"2"), PHANTOM),
        (Write("b", None), PHANTOM),
        (Write("bb", b"2"), VALID),
        (Write("c", None), VALID),
    ],
)
def test_a_range_left_early_is_checked_up_to_its_last_key(
    changes: StateChanges, write: Write, code: int
) -> None:
    changes.apply(Version(2, 0), [NamespaceRwSet("cc", writes=(write,))])
    assert read_conflict(reading(ranges=(PARTIAL,)), changes) == code

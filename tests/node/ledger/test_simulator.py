from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.memory_state import MemoryState

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.rwset import NamespaceRwSet, RangeRead, Version, Write, decode, encode
from shirushi_node.ledger.simulator import Simulator

V1, V2, V3 = Version(1, 0), Version(2, 0), Version(3, 0)


@pytest.fixture
def state() -> MemoryState:
    state = MemoryState()
    for key, version in (("a", V1), ("b", V2), ("c", V3)):
        state.put("cc", key, key.encode() * 2, version)
    state.put("cc", "guarded", b"g", V1, {"VALIDATION_PARAMETER": b"policy"})
    return state


@pytest.fixture
def simulator(state: MemoryState) -> Iterator[Simulator]:
    simulator = Simulator(state, "tx1")  # type: ignore[arg-type]
    yield simulator
    simulator.close()


def only(simulator: Simulator) -> NamespaceRwSet:
    (rw_set,) = simulator.results()
    assert decode(encode([rw_set])) == (rw_set,)
    return rw_set


def test_reads_are_recorded_with_the_version_read(simulator: Simulator) -> None:
    assert simulator.get_state("cc", "a") == b"aa"
    assert simulator.get_state("cc", "nothing") is None
    assert simulator.get_metadata("cc", "guarded") == {"VALIDATION_PARAMETER": b"policy"}
    assert only(simulator).reads == {"a": V1, "guarded": V1, "nothing": None}


def test_reads_never_see_the_transactions_own_writes(simulator: Simulator) -> None:
    simulator.put_state("cc", "a", b"new")
    simulator.del_state("cc", "b")
    assert simulator.get_state("cc", "a") == b"aa"
    assert simulator.get_state("cc", "b") == b"bb"


def test_the_last_write_counts_and_writes_are_sorted(simulator: Simulator) -> None:
    simulator.put_state("cc", "z", b"1")
    simulator.put_state("cc", "y", b"2")
    simulator.del_state("cc", "z")
    simulator.put_state("cc", "empty", b"")
    assert only(simulator).writes == (Write("empty", None), Write("y", b"2"), Write("z", None))


def test_namespaces_are_sorted_and_kept_apart(simulator: Simulator) -> None:
    simulator.put_state("z", "k", b"1")
    simulator.get_state("cc", "k")
    first, second = simulator.results()
    assert (first.namespace, second.namespace) == ("cc", "z")
    assert first.reads == {"k": None}
    assert second.reads == {}


def test_metadata_is_written_in_place_of_what_was_there(simulator: Simulator) -> None:
    simulator.set_metadata("cc", "a", {"VALIDATION_PARAMETER": b"p"})
    simulator.set_metadata("cc", "guarded", {})
    assert only(simulator).metadata_writes == {"a": {"VALIDATION_PARAMETER": b"p"}, "guarded": None}


def test_policies_of_written_keys_are_known(simulator: Simulator) -> None:
    simulator.put_state("cc", "guarded", b"1")
    simulator.put_state("cc", "new", b"1")
    simulator.get_state("other", "read only")
    assert simulator.written_policies() == {"cc": {"guarded": b"policy", "new": b""}}


@pytest.mark.parametrize("key", ["", "k" * 600, "\ud800"], ids=["empty", "long", "surrogate"])
def test_keys_that_cannot_be_stored_are_refused(simulator: Simulator, key: str) -> None:
    with pytest.raises(InvalidInputError):
        simulator.put_state("cc", key, b"1")
    with pytest.raises(InvalidInputError):
        simulator.del_state("cc", key)
    with pytest.raises(InvalidInputError):
        simulator.set_metadata("cc", key, {"VALIDATION_PARAMETER": b"p"})
    assert simulator.results() == ()


def test_text_that_is_no_utf8_is_refused_when_read(simulator: Simulator) -> None:
    with pytest.raises(InvalidInputError):
        simulator.get_state("cc", "\ud800")
    with pytest.raises(InvalidInputError):
        simulator.range_query("cc", "\ud800", "")
    with pytest.raises(InvalidInputError):
        simulator.history("cc", "\ud800")


def test_a_range_read_to_its_end_covers_the_whole_range(simulator: Simulator) -> None:
    results = list(simulator.range_query("cc", "a", "c"))
    assert [(each.key, each.value) for each in results] == [("a", b"aa"), ("b", b"bb")]
    assert only(simulator).range_reads == (RangeRead("a", "c", True, (("a", V1), ("b", V2))),)


def test_a_range_left_early_covers_what_was_handed_out(simulator: Simulator) -> None:
    query = simulator.range_query("cc", "a", "")
    assert [each.key for each in query.fetch(2)] == ["a", "b"]
    query.close()
    assert query.fetch(1) == []
    assert only(simulator).range_reads == (RangeRead("a", "b", False, (("a", V1), ("b", V2))),)


def test_a_range_that_found_nothing_is_recorded(simulator: Simulator) -> None:
    assert list(simulator.range_query("cc", "x", "y")) == []
    assert only(simulator).range_reads == (RangeRead("x", "y", True, ()),)


def test_a_range_never_asked_for_results_is_not_recorded(simulator: Simulator) -> None:
    simulator.range_query("cc", "a", "")
    assert only(simulator).range_reads == ()


def test_the_same_range_read_twice_is_recorded_once(simulator: Simulator) -> None:
    list(simulator.range_query("cc", "b", "c"))
    list(simulator.range_query("cc", "a", "b"))
    list(simulator.range_query("cc", "b", "c"))
    assert [each.start for each in only(simulator).range_reads] == ["b", "a"]


def test_a_page_ends_with_a_bookmark_where_the_next_begins(simulator: Simulator) -> None:
    query = simulator.range_query("cc", "a", "d", page_size=2)
    assert [each.key for each in query.fetch(10)] == ["a", "b"]
    assert query.bookmark() == "c"
    assert only(simulator).range_reads == (RangeRead("a", "b", False, (("a", V1), ("b", V2))),)


def test_the_last_page_has_no_bookmark(simulator: Simulator) -> None:
    query = simulator.range_query("cc", "c", "d", page_size=2)
    assert [each.key for each in query.fetch(2)] == ["c"]
    assert query.bookmark() == ""
    full = simulator.range_query("cc", "b", "d", page_size=2)
    assert [each.key for each in full.fetch(2)] == ["b", "c"]
    assert full.bookmark() == ""


def test_pages_and_writes_do_not_go_together(simulator: Simulator, state: MemoryState) -> None:
    simulator.range_query("cc", "a", "b", page_size=1)
    with pytest.raises(InvalidInputError, match="has already performed a paginated query"):
        simulator.put_state("cc", "a", b"1")
    writer = Simulator(state, "tx2")  # type: ignore[arg-type]
    writer.put_state("cc", "a", b"1")
    with pytest.raises(InvalidInputError, match=r"txid \[tx2\].*only in a read-only transaction"):
        writer.range_query("cc", "a", "b", page_size=1)

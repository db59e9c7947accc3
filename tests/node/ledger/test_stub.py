from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.memory_state import MemoryState

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import OK, KeyValue, Response, Stub
from shirushi_core.fabric.rwset import RangeRead, Version, Write
from shirushi_node.ledger.simulator import Simulator
from shirushi_node.ledger.stub import InProcessStub

V1 = Version(1, 0)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    state = MemoryState()
    for key in ("\0type\0id\0", "a", "b", "c"):
        state.put("cc", key, b"1", V1)
    simulator = Simulator(state, "tx1")  # type: ignore[arg-type]
    yield simulator
    simulator.close()


@pytest.fixture
def stub(simulator: Simulator) -> InProcessStub:
    async def call(name: str, args: tuple[bytes, ...], channel: str) -> Response:
        return Response(OK, f"{name} {channel}", b",".join(args))

    return InProcessStub(
        simulator,
        "cc",
        channel_id="ch",
        tx_id="tx1",
        args=[b"f", b"x"],
        creator=b"creator",
        timestamp=(5, 6),
        transient={"t": b"secret"},
        call_chaincode=call,
    )


def test_it_is_what_contracts_expect(stub: InProcessStub) -> None:
    as_contract_sees_it: Stub = stub
    assert as_contract_sees_it.args == (b"f", b"x")
    assert (stub.channel_id, stub.tx_id, stub.creator) == ("ch", "tx1", b"creator")
    assert stub.timestamp == (5, 6)
    assert stub.transient == {"t": b"secret"}


async def test_state_goes_to_its_own_namespace(stub: InProcessStub, simulator: Simulator) -> None:
    assert await stub.get_state("a") == b"1"
    assert await stub.get_multiple_states(["b", "nothing"]) == [b"1", None]
    await stub.put_state("x", b"2")
    await stub.del_state("y")
    await stub.set_state_validation_parameter("x", b"policy")
    assert await stub.get_state_validation_parameter("a") is None
    (rw_set,) = simulator.results()
    assert rw_set.namespace == "cc"
    assert rw_set.reads == {"a": V1, "b": V1, "nothing": None}
    assert rw_set.writes == (Write("x", b"2"), Write("y", None))
    assert rw_set.metadata_writes == {"x": {"VALIDATION_PARAMETER": b"policy"}}


async def test_an_open_range_leaves_composite_keys_out(stub: InProcessStub, simulator: Simulator) -> None:
    assert [each.key async for each in stub.get_state_by_range("", "")] == ["a", "b", "c"]
    (rw_set,) = simulator.results()
    assert [(each.start, each.end) for each in rw_set.range_reads] == [("\x01", "")]


async def test_composite_keys_are_no_bounds_of_a_range(stub: InProcessStub) -> None:
    with pytest.raises(InvalidInputError, match="null character"):
        [each async for each in stub.get_state_by_range("\0type", "")]


async def test_a_range_left_early_is_recorded_up_to_there(stub: InProcessStub, simulator: Simulator) -> None:
    async for each in stub.get_state_by_range("a", ""):
        if each.key == "b":
            break
    (rw_set,) = simulator.results()
    assert rw_set.range_reads == (RangeRead("a", "b", False, (("a", V1), ("b", V1))),)


async def test_pages_follow_their_bookmarks(stub: InProcessStub) -> None:
    page, bookmark = await stub.get_state_by_range_with_pagination("a", "", 2, "")
    assert page == [KeyValue("a", b"1"), KeyValue("b", b"1")]
    page, bookmark = await stub.get_state_by_range_with_pagination("a", "", 2, bookmark)
    assert page == [KeyValue("c", b"1")]
    assert bookmark == ""


async def test_a_page_without_room_is_refused(stub: InProcessStub) -> None:
    with pytest.raises(InvalidInputError, match="at least 1"):
        await stub.get_state_by_range_with_pagination("a", "", 0, "")


async def test_other_chaincodes_are_called_with_their_arguments(stub: InProcessStub) -> None:
    response = await stub.invoke_chaincode("other", [b"g", b"y"], "ch")
    assert response == Response(OK, "other ch", b"g,y")


def test_the_last_event_counts(stub: InProcessStub) -> None:
    assert stub.event is None
    stub.set_event("first", b"1")
    stub.set_event("second", b"2")
    assert stub.event == ("second", b"2")
    with pytest.raises(InvalidInputError, match="event name"):
        stub.set_event("", b"")

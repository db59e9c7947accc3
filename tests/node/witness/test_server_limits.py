"""What one address may hold of a server, and who gives way to whom."""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_node.witness.server_cache import BoundedCache
from shirushi_node.witness.server_limits import MIN_AGE_SECONDS, FairShare, address_of, connections_allowed
from shirushi_node.witness.server_turns import HALF_LIFE_SECONDS, Turns


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_an_address_is_an_ipv4_address_or_an_ipv6_64(host: str, address: str) -> None:
    assert address_of(host) == address


@given(st.integers(1, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_all_of_one_64_are_one_address(network: int, one: int, other: int) -> None:
    assert address_of(str(IPv6Address(network << 64 | one))) == address_of(
        str(IPv6Address(network << 64 | other))
    )


def test_no_more_connections_are_taken_than_there_are_descriptors() -> None:
    assert 16 <= connections_allowed() <= 512


def held_by(share: FairShare, address: str, given_up: list[str], amount: int = 1) -> bool:
    return share.take(address, amount, lambda: given_up.append(address)) is not None


def test_an_address_holds_no_more_than_it_may() -> None:
    share, given_up = FairShare(10, 3, Clock()), list[str]()
    assert [held_by(share, "a", given_up) for _ in range(4)] == [True, True, True, False]
    assert held_by(share, "b", given_up)
    assert given_up == []


def test_who_holds_most_gives_way_to_who_holds_less() -> None:
    share, given_up = FairShare(6, 5, Clock()), list[str]()
    assert all(held_by(share, "flooder", given_up) for _ in range(5))
    assert all(held_by(share, "honest", given_up) for _ in range(3))
    assert given_up == ["flooder", "flooder"]
    assert share.total == 6


def test_who_holds_nothing_gets_the_oldest_place_once_that_is_a_moment_old() -> None:
    clock, given_up = Clock(), list[str]()
    share = FairShare(2, 2, clock)
    assert held_by(share, "a", given_up)
    assert held_by(share, "b", given_up)
    assert not held_by(share, "c", given_up)
    clock.now += MIN_AGE_SECONDS
    assert held_by(share, "c", given_up)
    assert given_up == ["a"]


def test_places_do_not_change_hands_between_those_who_hold_as_many() -> None:
    clock, given_up = Clock(), list[str]()
    share = FairShare(4, 4, clock)
    assert all(held_by(share, address, given_up) for address in "aabb")
    clock.now += 10 * MIN_AGE_SECONDS
    assert not held_by(share, "a", given_up)
    assert held_by(share, "c", given_up)
    assert given_up == ["a"]
    assert not held_by(share, "a", given_up)


def test_nobody_gives_way_to_itself() -> None:
    share, given_up = FairShare(2, 5, Clock()), list[str]()
    assert [held_by(share, "a", given_up) for _ in range(3)] == [True, True, False]
    assert given_up == []


def test_one_thing_may_be_larger_than_an_addresss_part_if_it_is_alone() -> None:
    share, given_up = FairShare(100, 10, Clock()), list[str]()
    assert held_by(share, "a", given_up, 50)
    assert not held_by(share, "a", given_up, 1)


def test_what_is_released_can_be_taken_again_and_is_released_once() -> None:
    share = FairShare(1, 1, Clock())
    held = share.take("a", 1, lambda: None)
    assert held is not None
    held.release()
    held.release()
    assert share.total == 0
    assert share.take("b", 1, lambda: None) is not None


def test_where_everything_is_exhausted_one_is_given_up() -> None:
    share, given_up = FairShare(5, 5, Clock()), list[str]()
    assert not share.give_up_one()
    for address in ("a", "b", "b"):
        held_by(share, address, given_up)
    assert share.give_up_one()
    assert given_up == ["b"]


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 4), st.booleans()), max_size=60))
def test_what_is_held_never_exceeds_what_there_is(steps: list[tuple[str, int, bool]]) -> None:
    share, kept = FairShare(10, 6, Clock()), []
    for address, amount, release in steps:
        held = share.take(address, amount, lambda: None)
        if held is not None:
            kept.append(held)
        if release and kept:
            kept.pop(0).release()
        assert 0 <= share.total <= 10


async def test_the_next_turn_is_that_of_the_address_for_which_least_was_done() -> None:
    clock, order = Clock(), list[str]()
    turns = Turns(1, clock)

    async def work(address: str, seconds: float) -> None:
        async with turns.turn(address):
            order.append(address)
            await asyncio.sleep(0)
            clock.now += seconds

    async with turns.turn("heavy"):
        clock.now += 0.5
        heavy = [asyncio.create_task(work("heavy", 1.0)) for _ in range(3)]
        await asyncio.sleep(0)
        light = [asyncio.create_task(work("light", 0.01)) for _ in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*heavy, *light)
    assert order == ["light", "light", "light", "heavy", "heavy", "heavy"]


async def test_work_done_long_ago_counts_no_more() -> None:
    clock, order = Clock(), list[str]()
    turns = Turns(1, clock)

    async def work(address: str, seconds: float) -> None:
        async with turns.turn(address):
            order.append(address)
            await asyncio.sleep(0)
            clock.now += seconds

    await work("a", 1.0)
    clock.now += 20 * HALF_LIFE_SECONDS
    await work("b", 0.1)
    waiting = [asyncio.create_task(work(each, 0.1)) for each in ("c", "b", "a")]
    await asyncio.gather(*waiting)
    assert order == ["a", "b", "c", "a", "b"]


async def test_who_goes_away_while_waiting_keeps_no_turn() -> None:
    turns = Turns(1, Clock())
    gone = asyncio.Event()

    async def work() -> None:
        async with turns.turn("a"):
            await gone.wait()

    first, second, third = (asyncio.create_task(work()) for _ in range(3))
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    gone.set()
    await asyncio.wait_for(third, 5)
    async with asyncio.timeout(5), turns.turn("b"):
        pass


def test_a_cache_forgets_what_was_not_asked_for_the_longest() -> None:
    cache = BoundedCache[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)

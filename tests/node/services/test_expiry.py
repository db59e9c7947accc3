"""The anchors contract on the embedded node, with a clock that is passed in: what is held back expires."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from fabric_protos.peer import transaction_pb2
from tests.support.held_back import VALID, WRITING, MovedClock, Stage, last_second_before_expiry
from tests.support.raw_client import RawClient, refusal
from tests.support.service_network import Keys, Network, member_nodes

from shirushi_chaincode.shell import AnchorsChaincode
from shirushi_core.fabric.envelope import parse_endorser_transaction
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.proofs.epoch import EPOCH_SECONDS, EXPIRY_EPOCHS, epoch_of, ticks_from
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.node import LedgerNode

PHANTOM = int(transaction_pb2.PHANTOM_READ_CONFLICT)
NOW = int(time.time())
WEEK = 7 * 86400


@pytest.fixture
async def stage(keys: Keys, tmp_path: Path) -> AsyncIterator[Stage]:
    """The contract on a node, both of which go by the stage's clock."""
    clock = MovedClock()
    clock.set(NOW)
    node = LedgerNode(
        tmp_path / "ledger",
        keys[0].genesis.read_bytes(),
        member_nodes(keys),
        [ChaincodeDefinition("anchors", AnchorsChaincode(clock))],
        clock=lambda: datetime.fromtimestamp(clock(), UTC),
    )
    await node.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(node.stop)
        network = Network(keys, node, stack)

        async def connect(who: SigningIdentity) -> RawClient:
            return await network.client(user=who)

        async def settled() -> None:
            """All members share one ledger."""

        made = Stage(connect, network.user, clock, settled)
        await made.found()
        yield made


async def test_what_was_held_back_until_a_tick_three_epochs_later_is_a_phantom_read_conflict(
    stage: Stage,
) -> None:
    held_back = await stage.hold_back()
    await stage.tick(last_second_before_expiry(NOW) + 1)
    assert await stage.hand_in(held_back) == dict.fromkeys(WRITING, PHANTOM)


async def test_what_was_held_back_for_a_week_is_a_phantom_read_conflict(stage: Stage) -> None:
    held_back = await stage.hold_back()
    await stage.tick(NOW + WEEK)
    assert await stage.hand_in(held_back) == dict.fromkeys(WRITING, PHANTOM)


async def test_what_was_held_back_for_less_is_valid(stage: Stage) -> None:
    held_back = await stage.hold_back()
    del held_back["withdraw_approval"]  # of the approvals that the other one counts
    await stage.tick(last_second_before_expiry(NOW))
    assert await stage.hand_in(held_back) == dict.fromkeys(held_back, VALID)


async def test_a_withdrawal_that_was_held_back_for_less_is_valid(stage: Stage) -> None:
    held_back = await stage.hold_back()
    await stage.tick(last_second_before_expiry(NOW))
    only = {"withdraw_approval": held_back["withdraw_approval"]}
    assert await stage.hand_in(only) == {"withdraw_approval": VALID}


async def test_an_issuance_that_expired_is_made_again_with_a_new_time(stage: Stage) -> None:
    held_back = await stage.hold_back()
    later = last_second_before_expiry(NOW) + 1
    await stage.tick(later)
    assert await stage.hand_in({"issue": held_back["issue"]}) == {"issue": PHANTOM}
    assert (await stage.anchor_again())["anchored_at"] == later


async def test_a_transaction_older_than_a_tick_that_ends_it_is_not_endorsed(stage: Stage) -> None:
    later = last_second_before_expiry(NOW) + 1
    await stage.tick(later)
    stage.clock.set(NOW)
    refused = await refusal(stage.anchor_again())
    assert (refused.code, bool(refused.details)) == (grpc.StatusCode.ABORTED, True)
    assert all("TRANSACTION_EXPIRED: the transaction's time" in text for _, text in refused.details)
    assert await stage.ask("get_time", {}) == {"time": later}


async def test_the_range_without_ticks_is_in_the_read_set_to_its_end(stage: Stage) -> None:
    held_back = await stage.hold_back()
    for function, endorsed in held_back.items():
        (rw_set,) = [
            each
            for each in parse_endorser_transaction(endorsed.envelope).rw_sets
            if each.namespace == "anchors"
        ]
        (read,) = rw_set.range_reads
        assert (read.start, read.end) == ticks_from(epoch_of(NOW) + EXPIRY_EPOCHS), function
        assert (read.exhausted, read.reads) == (True, ())


async def test_transactions_of_one_epoch_are_all_valid(stage: Stage) -> None:
    held_back = await stage.hold_back()
    del held_back["withdraw_approval"]
    assert await stage.hand_in(held_back) == dict.fromkeys(held_back, VALID)
    assert await stage.ask("get_time", {}) == {"time": NOW}
    stage.clock.set(NOW + (EXPIRY_EPOCHS + 1) * EPOCH_SECONDS)
    assert await stage.ask("get_time", {}) == {"time": None}

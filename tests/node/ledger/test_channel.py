from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2
from tests.support.basic_chaincode import BasicChaincode
from tests.support.consortium import BATCH, CHANNEL, Consortium
from tests.support.fabric_binaries import fabric_binary
from tests.support.throwaway_ca import NOW
from tests.support.transactions import Endorsed, transaction

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import (
    data_hash,
    header_hash,
    last_config_index,
    validation_codes,
    verify_block_signatures,
)
from shirushi_core.fabric.rwset import NamespaceRwSet, Version, Write
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.ledger import Channel, ChannelStoppedError, OrderingError
from shirushi_node.ledger.store import StoreError

BASIC = ChaincodeDefinition("basic", BasicChaincode())


def put(consortium: Consortium, key: str, value: bytes = b"value") -> Endorsed:
    writes = NamespaceRwSet("basic", writes=(Write(key, value),))
    return transaction(consortium.client, consortium.peers(), [writes], channel_id=CHANNEL)


def block(channel: Channel, number: int) -> common_pb2.Block:
    return common_pb2.Block.FromString(channel.store.block_bytes(number))


def make(path: Path, consortium: Consortium, **options: object) -> Channel:
    return Channel(
        path,
        consortium.genesis,
        consortium.orderers,
        [BASIC],
        clock=lambda: NOW,
        **options,  # type: ignore[arg-type]
    )


async def test_a_transaction_is_committed_into_the_state(channel: Channel, consortium: Consortium) -> None:
    one = put(consortium, "key")
    await channel.order(one.data)
    await channel.wait_for_height(2)
    location = channel.store.transaction(one.tx_id)
    assert location is not None
    assert (location.block, location.tx, location.validation_code) == (1, 0, 0)
    with channel.store.snapshot() as snapshot:
        found = snapshot.get("basic", "key")
        assert found is not None
        assert (found.value, found.version) == (b"value", Version(1, 0))
        (past,) = snapshot.history("basic", "key")
        assert (past.tx_id, past.seconds, past.nanos) == (one.tx_id, 1_770_000_000, 42)


async def test_blocks_are_chained_and_signed_by_a_quorum(channel: Channel, consortium: Consortium) -> None:
    signers = set()
    for number in range(1, 6):
        await channel.order(put(consortium, f"key{number}").data)
        await channel.wait_for_height(number + 1)
        committed = block(channel, number)
        assert committed.header.previous_hash == header_hash(block(channel, number - 1).header)
        assert committed.header.data_hash == data_hash(committed.data.data)
        assert last_config_index(committed) == 0
        ids = verify_block_signatures(committed, channel.config.consenters, 4)
        assert len(ids) == 4
        signers.update(ids)
    assert signers == {1, 2, 3, 4, 5}


async def test_transactions_that_come_together_share_a_block(
    channel: Channel, consortium: Consortium
) -> None:
    batch = [put(consortium, f"key{number}") for number in range(100)]
    for each in batch:
        await channel.order(each.data)
    await channel.wait_for_height(2)
    assert list(block(channel, 1).data.data) == [each.data for each in batch]
    assert validation_codes(block(channel, 1)) == [0] * 100


async def test_a_full_block_is_cut_at_once_and_the_rest_follows(
    channel: Channel, consortium: Consortium
) -> None:
    for number in range(BATCH.max_message_count + 1):
        await channel.order(put(consortium, f"key{number}").data)
    await channel.wait_for_height(3)
    assert [len(block(channel, number).data.data) for number in (1, 2)] == [BATCH.max_message_count, 1]


async def test_a_lone_transaction_does_not_wait_for_the_batch_timeout(
    tmp_path: Path, consortium: Consortium
) -> None:
    slow = Consortium(replace(BATCH, timeout_seconds=3600), consortium.members)
    channel = make(tmp_path / "slow", slow)
    await channel.start()
    await channel.order(put(slow, "key").data)
    async with asyncio.timeout(10):
        await channel.wait_for_height(2)
    await channel.stop()


async def test_invalid_transactions_are_recorded_with_their_code(
    channel: Channel, consortium: Consortium
) -> None:
    writes = NamespaceRwSet("basic", writes=(Write("key", b"value"),))
    refused = transaction(consortium.client, consortium.peers(1), [writes], channel_id=CHANNEL)
    await channel.order(refused.data)
    await channel.wait_for_height(2)
    assert validation_codes(block(channel, 1)) == [10]
    location = channel.store.transaction(refused.tx_id)
    assert location is not None
    assert location.validation_code == 10
    with channel.store.snapshot() as snapshot:
        assert snapshot.get("basic", "key") is None


async def test_nobody_can_take_another_transactions_id(channel: Channel, consortium: Consortium) -> None:
    victim = put(consortium, "key")
    thief = put(consortium, "key").envelope
    body = common_pb2.Payload.FromString(thief.payload)
    header = common_pb2.ChannelHeader.FromString(body.header.channel_header)
    header.tx_id = victim.tx_id
    body.header.channel_header = header.SerializeToString()
    thief.payload = body.SerializeToString()
    thief.signature = consortium.client.sign(thief.payload)
    await channel.order(thief.SerializeToString())
    await channel.wait_for_height(2)
    assert channel.store.transaction(victim.tx_id) is None
    await channel.order(victim.data)
    await channel.wait_for_height(3)
    assert validation_codes(block(channel, 2)) == [0]


async def test_all_who_wait_for_a_block_are_woken(channel: Channel, consortium: Consortium) -> None:
    waiters = [asyncio.create_task(channel.wait_for_height(2)) for _ in range(50)]
    impatient = asyncio.create_task(channel.wait_for_height(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await channel.order(put(consortium, "key").data)
    async with asyncio.timeout(10):
        await asyncio.gather(*waiters)
    assert impatient.cancelled()


async def test_what_was_queued_is_committed_on_stop(tmp_path: Path, consortium: Consortium) -> None:
    channel = make(tmp_path / "ledger", consortium)
    await channel.start()
    ones = [put(consortium, f"key{number}") for number in range(150)]
    for one in ones:
        await channel.order(one.data)
    await channel.stop()
    again = make(tmp_path / "ledger", consortium)
    await again.start()
    assert all(again.store.transaction(one.tx_id) is not None for one in ones)
    await again.stop()


async def test_waiters_end_with_an_error_on_stop(tmp_path: Path, consortium: Consortium) -> None:
    channel = make(tmp_path / "ledger", consortium)
    await channel.start()
    waiter = asyncio.create_task(channel.wait_for_height(99))
    await asyncio.sleep(0)
    await channel.stop()
    with pytest.raises(ChannelStoppedError, match="stopped before block 98"):
        await waiter
    await channel.wait_for_height(1)


async def test_nothing_is_taken_before_start_and_after_stop(tmp_path: Path, consortium: Consortium) -> None:
    channel = make(tmp_path / "ledger", consortium)
    one = put(consortium, "key").data
    with pytest.raises(OrderingError, match="not started") as caught:
        await channel.order(one)
    assert caught.value.status == common_pb2.SERVICE_UNAVAILABLE
    await channel.start()
    await channel.stop()
    with pytest.raises(OrderingError, match="stopping"):
        await channel.order(one)
    await channel.stop()


async def test_a_full_queue_refuses_and_recovers(tmp_path: Path, consortium: Consortium) -> None:
    channel = make(tmp_path / "ledger", consortium, queue_limit=3)
    await channel.start()
    ones = [put(consortium, f"key{number}").data for number in range(4)]
    for one in ones[:3]:
        await channel.order(one)
    with pytest.raises(OrderingError, match="queue is full") as caught:
        await channel.order(ones[3])
    assert caught.value.status == common_pb2.SERVICE_UNAVAILABLE
    await channel.wait_for_height(2)
    await channel.order(ones[3])
    await channel.wait_for_height(3)
    await channel.stop()


async def test_without_a_quorum_of_orderers_nothing_is_ordered(
    channel: Channel, consortium: Consortium
) -> None:
    channel.set_orderer_running(5, False)
    await channel.order(put(consortium, "one").data)
    await channel.wait_for_height(2)
    assert verify_block_signatures(block(channel, 1), channel.config.consenters, 4) == [1, 2, 3, 4]
    await channel.order(put(consortium, "two").data)
    channel.set_orderer_running(1, False)
    with pytest.raises(OrderingError, match="3 of its 5 orderers are running, and 4 are needed") as caught:
        await channel.order(put(consortium, "three").data)
    assert caught.value.status == common_pb2.SERVICE_UNAVAILABLE
    assert channel.store.height == 2
    channel.set_orderer_running(1, True)
    async with asyncio.timeout(10):
        await channel.wait_for_height(3)
    with pytest.raises(InvalidInputError, match="consenter id 9"):
        channel.set_orderer_running(9, True)


async def test_a_block_that_cannot_be_stored_stops_the_channel(
    tmp_path: Path, consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = make(tmp_path / "ledger", consortium)
    await channel.start()

    def fail(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(channel.store, "commit", fail)
    await channel.order(put(consortium, "key").data)
    with pytest.raises(ChannelStoppedError):
        await channel.wait_for_height(2)
    with pytest.raises(OrderingError, match="the disk is full"):
        await channel.order(put(consortium, "key").data)
    await channel.stop()


def test_orderers_have_to_be_those_of_the_configuration(tmp_path: Path, consortium: Consortium) -> None:
    def channel(orderers: object) -> Channel:
        return Channel(tmp_path, consortium.genesis, orderers, [], clock=lambda: NOW)  # type: ignore[arg-type]

    orderers = consortium.orderers
    with pytest.raises(InvalidInputError, match="needs 4 orderers to sign its blocks; 3 given"):
        channel(orderers[:3])
    with pytest.raises(InvalidInputError, match="orderer of Org2MSP is not consenter 1"):
        channel([replace(orderers[1], consenter_id=1), *orderers[2:]])


def test_two_definitions_of_one_name_are_refused(tmp_path: Path, consortium: Consortium) -> None:
    with pytest.raises(InvalidInputError, match="two chaincode definitions"):
        Channel(tmp_path, consortium.genesis, consortium.orderers, [BASIC, BASIC], clock=lambda: NOW)


async def test_fabrics_own_tool_reads_our_blocks(
    channel: Channel, consortium: Consortium, tmp_path: Path
) -> None:
    configtxlator = fabric_binary("configtxlator")
    await channel.order(put(consortium, "key", b"a readable value").data)
    await channel.wait_for_height(2)
    for number, codes in ((0, "AA=="), (1, "AA==")):
        source, target = tmp_path / f"{number}.block", tmp_path / f"{number}.json"
        source.write_bytes(channel.store.block_bytes(number) or b"")
        await asyncio.to_thread(
            subprocess.run,
            [configtxlator, "proto_decode", "--type", "common.Block", "--input", source, "--output", target],
            check=True,
            timeout=30,
        )
        decoded = json.loads(target.read_text())
        assert decoded["header"]["number"] == str(number)
        assert decoded["metadata"]["metadata"][common_pb2.TRANSACTIONS_FILTER] == codes
    action = decoded["data"]["data"][0]["payload"]["data"]["actions"][0]["payload"]["action"]
    results = action["proposal_response_payload"]["extension"]["results"]
    assert results["ns_rwset"][0]["namespace"] == "basic"
    assert results["ns_rwset"][0]["rwset"]["writes"][0]["key"] == "key"

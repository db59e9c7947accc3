"""What blocks add to the log, and that a transaction which the contract cannot have made stops it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from google.protobuf.message import DecodeError
from tests.node.witness.test_block_check import follow
from tests.support.anchored_chain import AnchoredChain, event_bytes
from tests.support.anchors_ledger import CHANNEL, START
from tests.support.transactions import sign_envelope, signed_proposal, transaction

from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.proposal import parse_signed_proposal
from shirushi_core.fabric.rwset import NamespaceRwSet, Write
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.epoch import epoch_of, tick_key
from shirushi_node.witness.block_check import check_block
from shirushi_node.witness.derivation import derive
from shirushi_node.witness.errors import DerivationError, WitnessError


def kinds(entries: Sequence[bytes]) -> list[str]:
    return [decode(entry)["kind"] for entry in entries]


def derived(chain: AnchoredChain, number: int = -1) -> Any:
    return derive(follow(chain.blocks)[number])


def test_entries_are_the_events_in_canonical_json_in_ledger_order(issued: AnchoredChain) -> None:
    blocks = [derive(checked) for checked in follow(issued.blocks)]
    assert [kinds(block.entries) for block in blocks] == [
        [],
        ["issuer_proposal", "issuer_approval"],
        ["issuer_approval"],
        ["issuer_approval", "issuer"],
        ["issuance", "issuance"],
        ["revocation", "revocation"],
        ["revocation"],
    ]
    assert all(encode(decode(entry)) == entry for block in blocks for entry in block.entries)


def test_batches_issuers_and_status_records_are_told_with_their_positions(issued: AnchoredChain) -> None:
    assert derived(issued, 3).issuers == (("iizuka", 1, 1),)
    batches = [issued.city.statement(size).batch_id for size in (3, 4)]
    assert derived(issued, 4).batches == ((batches[0], 0), (batches[1], 1))
    records = derived(issued, 5).statuses
    assert [record.commitment for record in records] == issued.city.commitments(3)[:2]
    assert {record.status for record in records} == {"suspended"}


async def test_invalid_transactions_add_nothing(issued: AnchoredChain) -> None:
    made = await issued.transaction(issued.city.submitter, "issue", issued.city.issuance(9))
    issued.append([made], [11])
    assert derived(issued).entries == ()


async def test_a_repetition_adds_nothing(issued: AnchoredChain) -> None:
    await issued.issue(3)
    assert derived(issued).entries == ()


def test_other_chaincodes_add_nothing(issued: AnchoredChain) -> None:
    consortium = issued.consortium
    rw_sets = [NamespaceRwSet("basic", writes=[Write("key", b"value")])]
    made = transaction(consortium.client, consortium.peers(1), rw_sets, channel_id=CHANNEL)
    issued.append([(made, rw_sets)])
    assert derived(issued).entries == ()


def test_a_query_whose_range_reads_peers_summarised_adds_nothing(issued: AnchoredChain) -> None:
    summary = kv_rwset_pb2.KVRWSet()
    summary.range_queries_info.add(start_key="a", end_key="b").reads_merkle_hashes.max_degree = 50
    results = rwset_pb2.TxReadWriteSet()
    results.ns_rwset.add(namespace="anchors", rwset=summary.SerializeToString())
    consortium = issued.consortium
    made = transaction(
        consortium.client,
        consortium.peers(),
        results=results.SerializeToString(),
        channel_id=CHANNEL,
        chaincode="anchors",
    )
    issued.append([(made, [])])
    assert derived(issued).entries == ()


def stops(chain: AnchoredChain, *expected: str) -> None:
    """Expect the last block to stop the log, with a sentence that names block and reason."""
    with pytest.raises(DerivationError) as caught:
        derived(chain)
    for part in (f"block {chain.store.height - 1}", *expected):
        assert part in str(caught.value)


def forge(
    chain: AnchoredChain,
    writes: Sequence[Write] = (),
    event: bytes | None = None,
    *,
    name: str = "anchors",
    chaincode: str = "anchors",
    peers: Sequence[SigningIdentity] | None = None,
    tx_id: str | None = None,
    metadata: bool = False,
) -> None:
    """Add a block with a transaction that some members endorsed, whatever it says."""
    consortium = chain.consortium
    proposal = parse_signed_proposal(
        signed_proposal(
            consortium.client, channel_id=CHANNEL, chaincode=chaincode, seconds=chain.contract.now
        )
    )
    told = b"" if event is None else event_bytes(tx_id or proposal.tx_id, event, name)
    rw_set = NamespaceRwSet(
        "anchors",
        writes=writes,
        metadata_writes={write.key: {"VALIDATION_PARAMETER": b"x"} for write in writes} if metadata else {},
    )
    made = transaction(
        consortium.client, peers or consortium.peers(), [rw_set], proposal=proposal, event=told
    )
    chain.append([(made, [rw_set])])


def an_issuance(chain: AnchoredChain) -> dict[str, Any]:
    """Return an entry of the contract that is another transaction's."""
    entry: Any = decode(derived(chain, 4).entries[0])
    return entry


def test_an_event_that_is_no_json_stops_the_log(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}")], b"nonsense")
    stops(issued)


def test_an_event_of_no_kind_of_the_contracts_stops_the_log(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}")], encode({"entries": [{"kind": "other"}]}))
    stops(issued, "kinds")


def test_a_status_entry_made_by_a_transaction_stops_the_log(issued: AnchoredChain) -> None:
    entry = {"block": 7, "kind": "status", "root": "00" * 32}
    forge(issued, [], encode({"entries": [entry]}))
    stops(issued, "kinds")


def test_an_anchor_that_is_not_what_was_written_stops_the_log(issued: AnchoredChain) -> None:
    entry = an_issuance(issued)
    forge(issued, [], encode({"entries": [entry]}))
    stops(issued, "another transaction")


def test_a_write_without_an_event_stops_the_log(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}")])
    stops(issued, "writes and has no event")


async def test_a_tick_adds_nothing(issued: AnchoredChain) -> None:
    made = await issued.transaction(issued.city.submitter, "tick", {})
    assert [write.key for rw_set in made[1] for write in rw_set.writes] == [tick_key(epoch_of(START))]
    issued.append([made])
    assert derived(issued).entries == ()


def test_a_write_beside_a_tick_needs_an_event(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}"), Write(tick_key(1), b"300")])
    stops(issued, "writes and has no event")


def test_a_write_by_another_chaincode_stops_the_log(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}")], chaincode="basic")
    stops(issued, "basic wrote to its state")


def test_a_policy_set_on_a_key_stops_the_log(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}")], metadata=True)
    stops(issued, "metadata")


def test_an_event_of_another_name_stops_the_log(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}")], b"{}", name="other")
    stops(issued, "expected its event 'anchors'")


def test_an_event_of_another_transaction_stops_the_log(issued: AnchoredChain) -> None:
    forge(issued, [Write("batch/x", b"{}")], b"{}", tx_id="ab" * 32)
    stops(issued, "expected its event")


def test_an_approval_that_is_not_written_stops_the_log(issued: AnchoredChain) -> None:
    consortium = issued.consortium
    proposal = parse_signed_proposal(
        signed_proposal(consortium.client, channel_id=CHANNEL, chaincode="anchors")
    )
    vote = {
        "kind": "issuer_approval",
        "msp_id": "Org1MSP",
        "proposal_id": "00" * 32,
        "tx_id": proposal.tx_id,
    }
    event = event_bytes(proposal.tx_id, encode({"entries": [vote]}))
    made = transaction(consortium.client, consortium.peers(), proposal=proposal, event=event)
    issued.append([(made, [])])
    stops(issued, "which it does not write so")


async def test_endorsements_by_two_members_of_five_stop_the_log(issued: AnchoredChain) -> None:
    made = await issued.transaction(issued.city.submitter, "issue", issued.city.issuance(9), endorsers=(1, 2))
    issued.append([made])
    stops(issued, "expected endorsements of 3 of 5 members, found 2")


async def test_three_endorsements_by_one_member_count_once(issued: AnchoredChain) -> None:
    made = await issued.transaction(
        issued.city.submitter, "issue", issued.city.issuance(9), endorsers=(1, 1, 1)
    )
    issued.append([made])
    stops(issued, "found 1")


def test_endorsements_by_clients_instead_of_peers_stop_the_log(issued: AnchoredChain) -> None:
    clients = [member.client for member in issued.consortium.members]
    forge(issued, [Write("batch/x", b"{}")], b"{}", peers=clients)
    stops(issued, "policy")


async def test_a_creators_signature_that_does_not_hold_stops_the_log(issued: AnchoredChain) -> None:
    made, rw_sets = await issued.transaction(issued.city.submitter, "issue", issued.city.issuance(9))
    sign_envelope(made.envelope, issued.consortium.members[1].client)
    issued.append([(made, rw_sets)])
    stops(issued, "signature is invalid")


async def test_the_same_blocks_give_the_same_entries_at_every_member(issued: AnchoredChain) -> None:
    first = [derive(checked) for checked in follow(issued.blocks)]
    second = [derive(checked) for checked in follow(issued.blocks)]
    assert first == second


async def test_a_damaged_block_is_refused_or_says_the_same(issued: AnchoredChain) -> None:
    blocks, moments = issued.blocks, random.Random(5)
    state = follow(blocks[:5])[-1].after
    data = blocks[5].SerializeToString()
    expected = derive(check_block(state, blocks[5]))
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
        try:
            block = common_pb2.Block.FromString(bytes(damaged))
        except DecodeError:
            continue
        try:
            assert derive(check_block(state, block)) == expected
        except WitnessError:
            refused += 1
    assert refused > 100

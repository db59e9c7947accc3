"""What blocks add to the log: the contract's entries, and marks where a transaction is not what the contract makes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from tests.support.anchored_chain import AnchoredChain, event_bytes
from tests.support.anchors_ledger import CHANNEL, START
from tests.support.derived_chain import Logged, committed, follow, log_of
from tests.support.transactions import signed_proposal, transaction

from shirushi_core.fabric.committed import read_block
from shirushi_core.fabric.proposal import parse_signed_proposal
from shirushi_core.fabric.rwset import NamespaceRwSet, Write
from shirushi_core.fabric.wire import WireError
from shirushi_core.proofs.canonical import decode, encode
from shirushi_core.proofs.epoch import epoch_of, tick_key
from shirushi_core.proofs.replay import Replay
from shirushi_node.witness.contract_output import Made, Unjudged
from shirushi_node.witness.derivation import derive
from shirushi_node.witness.errors import UnknownRulesError

TICK = Write(tick_key(epoch_of(START)), encode(START))
BATCH = f"batch/{'ab' * 32}"
STATUS = f"status/{'ab' * 32}/{'cd' * 32}"


@pytest.fixture
def logged(tmp_path: Path) -> Callable[[AnchoredChain], Logged]:
    """Return what derives a chain's log, and holds it against what anybody can see of it."""
    made = 0

    def derive_log(chain: AnchoredChain) -> Logged:
        nonlocal made
        made += 1
        log = log_of(chain.blocks, tmp_path / f"log-{made}")
        replay = Replay(CHANNEL)
        for entry in log.entries:
            replay.feed(entry)
        if log.heads:
            assert (replay.status_root, replay.time) == (log.heads[-1].status_root, log.heads[-1].time)
        return log

    return derive_log


def kinds(entries: Sequence[bytes]) -> list[str]:
    return [decode(entry)["kind"] for entry in entries]


async def a_chain_by_version_2(chain: AnchoredChain) -> None:
    chain.define("2.0")
    await chain.register()
    await chain.issue(3, 4)
    await chain.revoke(3, 0, 1, change_id="one", status="suspended")
    await chain.revoke(3, 0, change_id="two", status="valid", reason="investigation_closed")


@pytest.fixture
async def timed(chain: AnchoredChain) -> AnchoredChain:
    """A chain by version 2 of the rules."""
    await a_chain_by_version_2(chain)
    return chain


ENTRIES = [
    ["issuer_proposal", "issuer_approval"],
    ["issuer_approval"],
    ["issuer_approval", "issuer"],
    ["issuance", "issuance"],
    ["revocation", "revocation"],
    ["revocation"],
]


def test_entries_are_the_events_in_canonical_json_in_ledger_order(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    log = logged(issued)
    assert kinds(log.entries) == [kind for block in ENTRIES for kind in (*block, "status")]
    assert all(encode(decode(entry)) == entry for entry in log.entries)
    assert [head.time for head in log.heads] == [None] * 6
    assert (log.unjudged, log.time) == ([], None)


async def test_by_version_2_status_entries_have_the_newest_time_of_a_tick(
    timed: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    timed.contract.now += 400
    await timed.tick()
    timed.contract.now -= 200
    await timed.issue(7)
    log = logged(timed)
    assert kinds(log.entries)[-3:] == ["status", "issuance", "status"]
    assert [head.time for head in log.heads] == [START] * 6 + [START + 400] * 2
    assert log.unjudged == []


async def test_a_tick_alone_makes_a_head_by_version_2_only(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    before = logged(issued)
    await issued.tick()
    assert logged(issued) == before
    issued.define("2.0", sequence=2)
    await issued.tick()
    after = logged(issued)
    assert (len(after.heads), after.time) == (len(before.heads) + 1, START)


async def test_the_switch_sets_the_issuers_that_were_known_in_the_status_tree(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    before = logged(issued)
    issued.define("2.0")
    between = logged(issued)
    assert (between.heads, between.entries, between.time) == (before.heads, before.entries, 0)
    assert between.status_root != before.status_root
    await issued.tick()
    after = logged(issued)
    assert (after.status_root, after.time) == (between.status_root, START)


async def test_the_rules_hold_from_the_block_that_commits_them_and_never_go_back(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    issued.define("2.7-rc1", sequence=2)
    issued.define("1.9", sequence=3)
    await issued.issue(9)
    assert logged(issued).heads[-1].time == START


@pytest.mark.parametrize("version", ["3", "3.0", "x", "0.1", "", "v2", "02"])
def test_rules_that_are_not_known_are_said_and_nothing_is_derived(
    issued: AnchoredChain, version: str
) -> None:
    before = follow(issued.blocks)[-1].after
    block = committed(issued.define(version, sequence=2))
    with pytest.raises(UnknownRulesError, match=f"block {block.number} commits version"):
        derive(block, CHANNEL, before.rules)


async def test_invalid_transactions_add_nothing(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    before = logged(issued)
    made = await issued.transaction(issued.city.submitter, "issue", issued.city.issuance(9))
    issued.append([made], [11])
    assert logged(issued) == before


def test_what_the_peer_gives_no_code_is_not_valid(issued: AnchoredChain) -> None:
    block = issued.block(4)
    for codes, count in ((b"\0", 1), (b"", 0), (b"\0\0\0", 2)):
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = codes
        assert len(derive(committed(block), CHANNEL, follow(issued.blocks)[2].after.rules).outputs) == count
    del block.metadata.metadata[:]
    assert derive(committed(block), CHANNEL, follow(issued.blocks)[2].after.rules).outputs == ()


async def test_a_repetition_adds_nothing(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    before = logged(issued)
    await issued.issue(3)
    assert logged(issued) == before


def test_other_chaincodes_add_nothing(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    before = logged(issued)
    consortium = issued.consortium
    rw_sets = [NamespaceRwSet("basic", writes=[Write(BATCH, b"value")])]
    event = event_bytes("x", b"{}")
    made = transaction(consortium.client, consortium.peers(1), rw_sets, channel_id=CHANNEL, event=event)
    issued.append([(made, rw_sets)])
    assert logged(issued) == before


def test_a_query_whose_range_reads_peers_summarised_adds_nothing(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    before = logged(issued)
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
    assert logged(issued) == before


def forge(
    chain: AnchoredChain,
    writes: Sequence[Write] = (),
    event: bytes | None = None,
    *,
    name: str = "anchors",
    chaincode: str = "anchors",
    tx_id: str | None = None,
    metadata: bool = False,
) -> None:
    """Add a block with a transaction that says whatever it says."""
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
    made = transaction(consortium.client, consortium.peers(), [rw_set], proposal=proposal, event=told)
    chain.append([(made, [rw_set])])


NONSENSE: dict[str, dict[str, Any]] = {
    "an event that is no JSON": {"writes": [Write(BATCH, b"{}")], "event": b"nonsense"},
    "an event with spaces": {"writes": [Write(BATCH, b"{}")], "event": b'{"entries": []}'},
    "an event of another kind": {
        "writes": [Write(BATCH, b"{}")],
        "event": encode({"entries": [{"kind": "other"}]}),
    },
    "a status entry of a transaction": {
        "writes": [Write(BATCH, b"{}")],
        "event": encode({"entries": [{"block": 7, "kind": "status", "root": "00" * 32}]}),
    },
    "a write without an event": {"writes": [Write(BATCH, b"{}"), TICK]},
    "a deletion": {"writes": [Write(BATCH, None), TICK]},
    "a write by another chaincode": {"writes": [Write(BATCH, b"{}")], "chaincode": "basic"},
    "a policy set on a key": {"writes": [Write(BATCH, b"{}")], "metadata": True},
    "an event of another name": {"writes": [Write(BATCH, b"{}")], "event": b"{}", "name": "other"},
    "an event of another transaction": {"writes": [Write(BATCH, b"{}")], "event": b"{}", "tx_id": "ab" * 32},
}


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("what", NONSENSE)
async def test_what_the_contract_does_not_make_marks_the_keys_that_it_wrote(
    chain: AnchoredChain, logged: Callable[[AnchoredChain], Logged], what: str, version: str
) -> None:
    chain.define(version)
    await chain.register()
    before = logged(chain)
    forge(chain, **NONSENSE[what])
    log = logged(chain)
    block = chain.store.height - 1
    mark = {"block": block, "key": BATCH, "kind": "unjudged", "transaction": 0}
    assert [decode(entry) for entry in log.entries[len(before.entries) : -1]] == [mark]
    assert kinds(log.entries)[-1] == "status"
    assert log.time == before.time, "its tick is nobody's"
    assert log.status_root != before.status_root
    assert [(each.block, each.transaction) for each in log.unjudged] == [(block, 0)]


def test_every_key_with_a_place_is_marked_once_in_order_and_others_are_not(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    before = logged(issued)
    keys = [STATUS, "issuer/x", BATCH, "batch/x", "change/a/b", "tick/000000000001"]
    forge(issued, [Write(key, b"x") for key in keys], metadata=True)
    entries = [decode(entry) for entry in logged(issued).entries[len(before.entries) : -1]]
    assert [entry["key"] for entry in entries] == sorted([BATCH, "issuer/x", STATUS])


@pytest.mark.parametrize(
    "writes",
    [
        [Write("batch/x", b"{}")],
        [Write("proposal/x", b"{}"), TICK],
        [Write("tick/000000000001", encode(300))],
        [Write(TICK.key, encode(START + 1))],
        [Write(TICK.key, None)],
    ],
)
def test_without_such_a_key_it_is_one_entry_without_a_key(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged], writes: list[Write]
) -> None:
    before = logged(issued)
    forge(issued, writes)
    (entry,) = [decode(each) for each in logged(issued).entries[len(before.entries) : -1]]
    assert (entry["kind"], entry["key"]) == ("unjudged", None)


def test_a_valid_transaction_that_is_no_message_is_unjudged_without_a_key(
    issued: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    issued.append([(b"\xff\xff", [])], [0])
    (entry,) = [decode(each) for each in logged(issued).entries[-2:-1]]
    assert (entry["kind"], entry["key"], entry["transaction"]) == ("unjudged", None, 0)


async def test_a_writing_transaction_without_its_tick_is_unjudged_by_version_2_only(
    timed: AnchoredChain, logged: Callable[[AnchoredChain], Logged], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shirushi_chaincode.contract import ticks

    async def nothing(stub: object) -> None:
        """An earlier contract left no ticks."""

    monkeypatch.setattr(ticks, "leave_tick", nothing)
    await timed.issue(9)
    log = logged(timed)
    assert kinds(log.entries)[-2:] == ["unjudged", "status"]


async def test_a_batch_anchored_a_second_time_is_marked_and_a_good_write_after_that_ends_the_mark(
    timed: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    for expected in ("unjudged", "issuance"):
        for key in [key for key in timed.contract.state if key.startswith(("batch/", "issued/"))]:
            del timed.contract.state[key]
        await timed.issue(3)
        log = logged(timed)
        assert kinds(log.entries)[-2:] == [expected, "status"]


async def test_a_type_that_the_issuers_newest_record_does_not_list_is_unjudged(
    timed: AnchoredChain, logged: Callable[[AnchoredChain], Logged], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shirushi_core.proofs.issuer import IssuerRecord

    with monkeypatch.context() as lax:
        lax.setattr(IssuerRecord, "may_issue", lambda *_: True)
        await timed.issue(9)
        made = await timed.transaction(
            timed.city.submitter, "issue", timed.city.issuance(11, document_type="not-listed")
        )
        timed.append([made])
    log = logged(timed)
    assert kinds(log.entries)[-2:] == ["unjudged", "status"]
    assert "does not list not-listed" in log.unjudged[-1].reason


async def test_the_same_blocks_give_the_same_entries_at_every_member(
    timed: AnchoredChain, logged: Callable[[AnchoredChain], Logged]
) -> None:
    assert logged(timed) == logged(timed)


def test_nothing_but_data_codes_and_number_changes_what_is_derived(issued: AnchoredChain) -> None:
    blocks, moments = issued.blocks, random.Random(5)
    at = follow(blocks[:6])[-1]
    block = blocks[5]
    changed = 0
    for _ in range(200):
        other = common_pb2.Block.FromString(block.SerializeToString())
        other.header.previous_hash = moments.randbytes(moments.randrange(40))
        other.header.data_hash = moments.randbytes(moments.randrange(40))
        for slot in (
            common_pb2.SIGNATURES,
            common_pb2.LAST_CONFIG,
            common_pb2.ORDERER,
            common_pb2.COMMIT_HASH,
        ):
            other.metadata.metadata[slot] = moments.randbytes(moments.randrange(40))
        envelope = common_pb2.Envelope.FromString(other.data.data[0])
        envelope.signature = moments.randbytes(9)
        other.data.data[0] = envelope.SerializeToString()
        changed += derive(committed(other), CHANNEL, at.before.rules) == at.derived
    assert changed == 200


def test_a_damaged_block_is_derived_to_something_whatever_it_is(issued: AnchoredChain) -> None:
    blocks, moments = issued.blocks, random.Random(5)
    at = follow(blocks[:6])[-1]
    data = at.committed.data
    for _ in range(1000):
        damaged = bytearray(data)
        damaged[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
        try:
            block = read_block(bytes(damaged))
        except WireError:
            continue
        for output in derive(block, CHANNEL, at.before.rules).outputs:
            assert isinstance(output, Made | Unjudged)

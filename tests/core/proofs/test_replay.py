"""Replaying a log of what the contract made: the same roots again, and each defect at the entry that has it."""

from __future__ import annotations

import asyncio
import dataclasses
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.anchors_ledger import MEMBERS, START
from tests.support.contract_log import ContractLog, found_log, lively_log, replayed

from shirushi_core.proofs import merkle
from shirushi_core.proofs.canonical import Json, decode, encode
from shirushi_core.proofs.compact_range import CompactRange
from shirushi_core.proofs.current_nodes import CurrentNodes
from shirushi_core.proofs.issuer import IssuerState
from shirushi_core.proofs.issuer_proposal import IssuerProposal, LoggedState
from shirushi_core.proofs.log_entry import StatusEntry, issuer_entry
from shirushi_core.proofs.replay import Fault, Replay, ReplayError
from shirushi_core.proofs.status import Reason, Status, StatusRecord
from shirushi_core.proofs.status_tree import EMPTY


@pytest.fixture(scope="module")
def log() -> ContractLog:
    return asyncio.run(lively_log())


def fault_of(entries: list[bytes]) -> ReplayError:
    with pytest.raises(ReplayError) as caught:
        replayed(entries)
    return caught.value


def index_of(log: ContractLog, kind: str, number: int = 0) -> int:
    found = [n for n, entry in enumerate(log.entries) if f'"kind":"{kind}"'.encode() in entry]
    return found[number]


def changed(log: ContractLog, index: int, *path: str, value: Json) -> list[bytes]:
    """Return the entries with one field of one entry changed."""
    entry = decode(log.entries[index])
    inner = entry
    for name in path[:-1]:
        inner = inner[name]  # type: ignore[call-overload,index]
    inner[path[-1]] = value  # type: ignore[call-overload,index]
    return [*log.entries[:index], encode(entry), *log.entries[index + 1 :]]


class TestAnHonestLog:
    def test_has_its_head_and_status_root_again_at_every_head(self, log: ContractLog) -> None:
        replay = Replay(log.ledger)
        heads = {}
        for entry in log.entries:
            replay.feed(entry)
            if replay.at_head:
                heads[replay.size] = (replay.root(), replay.status_root)
        assert heads == {size: (log.checkpoint(size).root, root) for size, root in log.roots.items()}

    def test_is_counted_by_issuer(self, log: ContractLog) -> None:
        counts = replayed(log.entries).counts["iizuka-city"]
        assert dataclasses.astuple(counts) == (3, 10, 5)

    def test_lists_its_batches_with_where_they_stand(self, log: ContractLog) -> None:
        batches = replayed(log.entries).batches
        first = batches[log.city.statement(3).batch_id]
        assert (first.index, first.size, first.issuer) == (index_of(log, "issuance"), 3, "iizuka-city")
        assert [each.index for each in batches.values()] == sorted(each.index for each in batches.values())

    def test_needs_seals_verified_once_for_many_replays(self, log: ContractLog) -> None:
        sealed: set[bytes] = set()
        for _ in range(2):
            replay = Replay(log.ledger, sealed=sealed)
            for entry in log.entries:
                replay.feed(entry)
            assert len(sealed) == 3


class TestAnEntry:
    def test_that_is_not_canonical_is_malformed(self, log: ContractLog) -> None:
        entries = [*log.entries[:2], log.entries[2].replace(b":", b": ", 1), *log.entries[3:]]
        assert (fault_of(entries).index, fault_of(entries).fault) == (2, Fault.MALFORMED)

    @pytest.mark.parametrize("data", [b"", b"null", b"[]", b'{"kind":"coffee"}', b'{"kind":7}', b"\xff"])
    def test_that_is_of_no_known_kind_is_malformed(self, log: ContractLog, data: bytes) -> None:
        error = fault_of([*log.entries, data])
        assert (error.index, error.fault) == (len(log.entries), Fault.MALFORMED)

    def test_with_a_field_too_many_is_malformed(self, log: ContractLog) -> None:
        index = index_of(log, "revocation")
        assert fault_of(changed(log, index, "more", value=1)).fault is Fault.MALFORMED

    def test_with_another_batch_id_than_its_statement_gives_is_malformed(self, log: ContractLog) -> None:
        index = index_of(log, "issuance")
        error = fault_of(changed(log, index, "anchor", "statement", "batch_id", value="00" * 32))
        assert (error.index, error.fault) == (index, Fault.MALFORMED)


class TestStatusEntries:
    def test_name_the_root_after_their_block(self, log: ContractLog) -> None:
        index = index_of(log, "status", -3)
        error = fault_of(changed(log, index, "root", value="11" * 32))
        assert (error.index, error.fault) == (index, Fault.STATUS_ROOT)
        assert error.expected.endswith(StatusEntry.from_bytes(log.entries[index]).root.hex())
        assert error.found == "11" * 32

    def test_follow_entries(self, log: ContractLog) -> None:
        error = fault_of([*log.entries, StatusEntry(99, log.status_root).to_bytes()])
        assert (error.index, error.fault) == (len(log.entries), Fault.AGAINST_RULES)

    def test_name_blocks_that_rise(self, log: ContractLog) -> None:
        last = len(log.entries) - 1
        assert fault_of(changed(log, last, "block", value=log.block - 1)).index == last

    def test_are_missed_where_a_change_of_status_was_left_out(self, log: ContractLog) -> None:
        index = index_of(log, "revocation", 1)
        error = fault_of([*log.entries[:index], *log.entries[index + 1 :]])
        assert (error.index, error.fault) == (index, Fault.STATUS_ROOT)  # that of the same block

    def test_end_every_head(self, log: ContractLog) -> None:
        assert replayed(log.entries).at_head
        assert not replayed(log.entries[:-1]).at_head
        assert not Replay(log.ledger).at_head


class TestBatches:
    def test_are_anchored_once(self, log: ContractLog) -> None:
        index = index_of(log, "issuance")
        error = fault_of([*log.entries, log.entries[index]])
        assert f"entry {index} has anchored" in error.found

    def test_are_of_this_ledger(self, log: ContractLog) -> None:
        with pytest.raises(ReplayError, match="a statement of ledger other"):
            replayed(log.entries, "other")

    def test_are_of_a_registered_issuer(self, log: ContractLog) -> None:
        index = index_of(log, "issuance")
        end = StatusEntry(1, EMPTY).to_bytes()
        assert "which is none" in fault_of([log.entries[index], end]).found

    def test_are_judged_by_the_issuers_newest_record(self, log: ContractLog) -> None:
        error = fault_of(changed(log, index_of(log, "issuance"), "anchor", "issuer_sequence", value=2))
        assert "judged by record 2" in error.found

    def test_are_sealed_in_the_window_of_the_seal_key(self, log: ContractLog) -> None:
        index = index_of(log, "issuance")
        error = fault_of(changed(log, index, "anchor", "anchored_at", value=START + 5000))
        assert (error.index, "in its window" in error.expected) == (index, True)

    def test_have_seals_that_hold(self, log: ContractLog) -> None:
        index = index_of(log, "issuance")
        other = decode(log.entries[index_of(log, "issuance", 1)])["anchor"]["seal"]["signature"]  # type: ignore[call-overload,index]
        error = fault_of(changed(log, index, "anchor", "seal", "signature", value=other))
        assert (error.index, error.expected) == (index, "a seal that holds")


class TestChangesOfStatus:
    def test_are_of_batches_that_were_anchored_before(self, log: ContractLog) -> None:
        index = index_of(log, "revocation")
        assert fault_of(changed(log, index, "record", "batch_id", value="22" * 32)).index == index

    def test_are_allowed_by_the_status_before(self, log: ContractLog) -> None:
        index = index_of(log, "revocation", 2)
        error = fault_of(changed(log, index, "record", "commitment", value=log.city.commitments()[1].hex()))
        assert "final" in error.found

    def test_take_effect_after_the_anchoring_and_not_far_ahead(self, log: ContractLog) -> None:
        index = index_of(log, "revocation")
        for at in (START - 1, START + 301):
            assert fault_of(changed(log, index, "record", "effective_at", value=at)).index == index

    def test_name_successors_that_are_anchored_and_others(self, log: ContractLog) -> None:
        index = index_of(log, "revocation", 3)
        error = fault_of(changed(log, index, "record", "successor", "batch_id", value="33" * 32))
        assert "a successor in a batch" in error.expected
        own = log.city.commitments()[2].hex()
        error = fault_of(changed(log, index, "record", "successor", "commitment", value=own))
        assert error.found == "the one that is superseded"


class TestIssuers:
    @staticmethod
    async def proposing(log: ContractLog, **changes: object) -> None:
        record = dataclasses.replace(log.city.record, **{"sequence": 2, **changes})  # type: ignore[arg-type]
        ledger, admins = log.consortium.ledger, log.consortium.admins
        outcome = await ledger.submit(admins[MEMBERS[0]], "propose_issuer", {"record": record.to_json()})
        log.add(outcome)
        reference = {"proposal_id": outcome.result["proposal_id"]}
        log.add(await ledger.submit(admins[MEMBERS[0]], "withdraw_approval", reference))
        for msp_id in MEMBERS[:3]:
            log.add(await ledger.submit(admins[msp_id], "approve_issuer", reference))

    async def test_change_by_proposals_votes_and_withdrawals(self) -> None:
        log = await found_log()
        await self.proposing(log, state=IssuerState.RETIRED)
        assert replayed(log.entries).at_head

    async def test_are_registered_only_as_proposed_and_approved(self) -> None:
        log = await found_log()
        adopted = index_of(log, "issuer")
        assert "was proposed" in fault_of([log.entries[adopted]]).expected
        proposal = log.entries[0]
        assert "members approved" in fault_of([proposal, log.entries[adopted]]).expected

    async def test_have_records_whose_sequences_rise_by_one(self) -> None:
        log = await found_log()
        adopted = log.entries[index_of(log, "issuer")]
        end = StatusEntry(9, EMPTY).to_bytes()
        assert fault_of([*log.entries, adopted, end]).index == len(log.entries)
        skipping = issuer_entry(dataclasses.replace(log.city.record, sequence=3))
        assert fault_of([*log.entries, skipping, end]).index == len(log.entries)

    async def test_keep_their_keys(self) -> None:
        log = await found_log()
        dropped = dataclasses.replace(log.city.record, sequence=2, keys=log.city.record.keys[:1])
        proposal = IssuerProposal(dropped, MEMBERS[0], START, LoggedState.ADOPTED)
        vote = {"msp_id": MEMBERS[0], "proposal_id": proposal.proposal_id.hex(), "tx_id": "0" * 64}
        entries = [
            encode({"kind": "issuer_proposal", "proposal": proposal.to_json()}),
            encode({"kind": "issuer_approval", **vote}),
            issuer_entry(dropped),
        ]
        error = fault_of([*log.entries, *entries])
        assert (error.index, error.found) == (len(log.entries) + 2, "one without it")

    async def test_are_voted_on_while_the_proposal_is_open(self) -> None:
        log = await found_log()
        approval = log.entries[index_of(log, "issuer_approval")]
        assert "proposal that is open" in fault_of([*log.entries, approval]).expected
        withdrawal = approval.replace(b"issuer_approval", b"issuer_withdrawal")
        before = log.entries[: index_of(log, "issuer_approval")]
        assert "can be withdrawn" in fault_of([*before, withdrawal]).expected


@given(st.lists(st.binary(max_size=3), max_size=70))
def test_a_compact_range_has_the_head_of_the_tree(entries: list[bytes]) -> None:
    growing = CompactRange()
    for entry in entries:
        growing.append(merkle.leaf_hash(entry))
    assert growing.root() == merkle.root(entries)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 9), st.sampled_from(Status)), max_size=60))
def test_current_nodes_are_those_that_the_root_leads_to(changes: list[tuple[int, int, Status]]) -> None:
    nodes = CurrentNodes()
    latest: dict[tuple[int, int], StatusRecord] = {}
    for batch, certificate, status in changes:
        record = StatusRecord(
            status=Status.REVOKED if status is Status.SUPERSEDED else status,
            reason=Reason.OTHER,
            effective_at=START,
            changed_at=START,
            change_id="a",
            tx_id="0" * 64,
            batch_id=sha256(b"batch %d" % batch).digest(),
            commitment=None if certificate < 0 else sha256(b"certificate %d" % certificate).digest(),
        )
        nodes.set_status(record)
        latest.pop((batch, certificate), None)
        latest[batch, certificate] = record
    fresh = CurrentNodes()
    for record in latest.values():
        fresh.set_status(record)
    assert nodes.root == fresh.root
    assert len(nodes) == reachable(nodes, nodes.root)


def reachable(nodes: CurrentNodes, root: bytes) -> int:
    """Count the nodes that a root leads to: in the upper tree, behind its values, and in the batches' trees."""
    node = nodes.get(root)
    if node is None:
        return 0
    start = len(node) % 32
    return 1 + sum(reachable(nodes, node[n : n + 32]) for n in (start, start + 32))

"""The same random transactions, judged by real Fabric and by the embedded ledger: answers, codes, commit hashes, state.

More of them: SHIRUSHI_SEEDS="1 2 3" names the seeds, SHIRUSHI_TRANSACTIONS=10000 how many for each.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2
from tests.fabric.forging import Forge, Signer, cast_of
from tests.fabric.random_plans import KEYS, OPEN, STRICT, Plan, Touched, rounds
from tests.fabric.twins import ACCEPTED, Committed, Twins
from tests.support.transactions import sign_envelope

SEEDS = [int(seed) for seed in os.environ.get("SHIRUSHI_SEEDS", "1").split()]
TRANSACTIONS = int(os.environ.get("SHIRUSHI_TRANSACTIONS", "3000"))
SHOWN = 20

EXPECTED = {
    "VALID",
    "ENDORSEMENT_POLICY_FAILURE",
    "MVCC_READ_CONFLICT",
    "PHANTOM_READ_CONFLICT",
    "DUPLICATE_TXID",
    "INVALID_ENDORSER_TRANSACTION",
    "INVALID_CHAINCODE",
    "INVALID_OTHER_REASON",
    "ILLEGAL_WRITESET",
    "BAD_COMMON_HEADER",
    "BAD_HEADER_EXTENSION",
    "BAD_PROPOSAL_TXID",
    "BAD_RESPONSE_PAYLOAD",
    "BAD_RWSET",
}
"""Codes that a run of the usual length comes to."""

pytestmark = pytest.mark.timeout(120 + len(SEEDS) * TRANSACTIONS // 10)


class Run:
    """One seed's transactions on both networks, and what was not the same."""

    def __init__(self, twins: Twins, seed: int) -> None:
        self.problems: list[str] = []
        self.codes: Counter[str] = Counter()
        self._twins = twins
        self._forge = Forge(twins.topology.channel, cast_of(twins.layout, twins.topology), seed)
        self._sent: list[bytes] = []
        self._turn = 0

    def round(self, plans: Sequence[Plan]) -> None:
        """Hand transactions in, wait until real Fabric has committed them, and compare."""
        envelopes = self._forged(plans)
        self._sent += envelopes
        answers = self._twins.run(self._twins.hand_in(envelopes))
        accepted: list[tuple[Plan, bytes]] = []
        for plan, envelope, theirs in zip(plans, envelopes, answers, strict=True):
            ours = self._twins.answer_of_ours(envelope)
            if theirs != ours:
                self._report(plan, f"Fabric's orderer says {theirs}, ours {ours}")
            if theirs == ACCEPTED:
                accepted.append((plan, envelope))
        done = 0
        for block in self._twins.run(self._twins.follow(len(accepted))):
            size = len(block.theirs)
            self._compare(block, accepted[done : done + size])
            done += size
        self._turn += 1

    def _forged(self, plans: Sequence[Plan]) -> list[bytes]:
        first = len(self._sent)
        with self._twins.store.snapshot() as state:
            return [
                self._forge.envelope(plan, first + number, state)
                if plan.repeats is None
                else self._sent[plan.repeats]
                for number, plan in enumerate(plans)
            ]

    def _compare(self, committed: Committed, accepted: Sequence[tuple[Plan, bytes]]) -> None:
        data = committed.block.data.data
        assert list(data) == [envelope for _, envelope in accepted], "the orderers changed bytes or order"
        for tx, (plan, _) in enumerate(accepted):
            theirs, ours = (
                transaction_pb2.TxValidationCode.Name(codes[tx])
                for codes in (committed.theirs, committed.ours)
            )
            self.codes[theirs] += 1
            if theirs != ours:
                self._report(plan, f"Fabric says {theirs}, the embedded ledger {ours}: {plan}")
        if committed.their_hash != committed.our_hash:
            plan = accepted[0][0]
            self._report(plan, f"block {committed.block.header.number}, which begins so: other commit hash")

    def _report(self, plan: Plan, problem: str) -> None:
        self.problems.append(f"round {self._turn}, {plan.kind}: {problem}")


@pytest.mark.parametrize("seed", SEEDS)
def test_random_transactions_get_the_same_answers_codes_and_commit_hashes(twins: Twins, seed: int) -> None:
    run = Run(twins, seed)
    for plans in rounds(seed, TRANSACTIONS):
        run.round(plans)
        assert not run.problems, "\n".join(run.problems[:SHOWN])
    if TRANSACTIONS >= 3000:
        assert run.codes.keys() >= EXPECTED


@pytest.mark.parametrize("chaincode", [OPEN, STRICT])
def test_both_tell_the_same_state_and_history(twins: Twins, chaincode: str) -> None:
    async def tell(*args: str) -> tuple[object, object]:
        async with twins.clients() as clients:
            real, embedded = [await each.evaluate(*args, chaincode=chaincode) for each in clients]
        return json.loads(real.payload), json.loads(embedded.payload)

    for args in (("tell",), ("tell history", *KEYS)):
        theirs, ours = twins.run(tell(*args))
        assert theirs
        assert ours == theirs


def test_a_transaction_id_that_another_claimed_is_lost_on_fabric_and_not_on_ours(twins: Twins) -> None:
    cast = cast_of(twins.layout, twins.topology)
    forge = Forge(twins.topology.channel, cast, seed=-1)
    plan = Plan("claimed", (Touched(OPEN, writes=(("claimed", b"value"),)),))
    with twins.store.snapshot() as state:
        owned = forge.envelope(plan, 0, state)
        other = forge.envelope(replace(plan, creator="client2"), 1, state)
    codes = []
    for envelope in (_with_id(other, _id(owned), cast["client2"]), owned):
        assert twins.run(twins.hand_in([envelope])) == [ACCEPTED]
        (committed,) = twins.run(twins.follow(1))
        codes.append((committed.theirs, committed.ours))
    bad, duplicate = transaction_pb2.BAD_PROPOSAL_TXID, transaction_pb2.DUPLICATE_TXID
    assert codes == [([bad], [bad]), ([duplicate], [transaction_pb2.VALID])]


def _id(envelope: bytes) -> str:
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
    return str(common_pb2.ChannelHeader.FromString(payload.header.channel_header).tx_id)


def _with_id(data: bytes, tx_id: str, signer: Signer) -> bytes:
    envelope = common_pb2.Envelope.FromString(data)
    payload = common_pb2.Payload.FromString(envelope.payload)
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    header.tx_id = tx_id
    payload.header.channel_header = header.SerializeToString()
    envelope.payload = payload.SerializeToString()
    return bytes(sign_envelope(envelope, signer).SerializeToString())

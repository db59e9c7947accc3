"""kill -9 of the consortium's process at any moment, under load: what was reported is there, once, and nothing needs repair."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from fabric_protos.common import ledger_pb2
from tests.support.chain import anchors, check_chain, transactions
from tests.support.issuing import issue
from tests.support.live_consortium import LiveConsortium
from tests.support.member_relay import Behaviour, Call, MemberRelay

from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.ledger_errors import LedgerUnreachableError
from shirushi_client.session import ISSUER, Session, open_session
from shirushi_core.fabric.block import header_hash
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.seal import make_seal

ROUNDS = 5
IN_FLIGHT = 12
DOCUMENT_TYPE = "killed-under-load"


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveConsortium]:
    live = LiveConsortium.at(tmp_path_factory.mktemp("killed") / "consortium")
    yield live
    live.down()


class Load:
    """Clients that anchor one batch after the other, each at a member of its own choice, until the node is gone."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._seal_key = session.profile.load_seal_key()
        self.reported: list[IssuanceAnchor] = []
        self.sent: list[str] = []
        self._reports = asyncio.Semaphore(0)

    async def report(self, count: int) -> None:
        """Wait until so many commits were reported."""
        for _ in range(count):
            await self._reports.acquire()

    async def run(self) -> None:
        """Keep IN_FLIGHT requests under way until the node is killed."""
        await asyncio.gather(*(self._submit_until_lost(number) for number in range(IN_FLIGHT)))

    async def _submit_until_lost(self, number: int) -> None:
        member = self._session.members[number % len(self._session.members)]
        while True:
            statement = BatchStatement(
                self._session.consortium.channel,
                self._session.profile.issuer_id(),
                DOCUMENT_TYPE,
                root=os.urandom(32),
                size=1,
                valid_from=1,
            )
            self.sent.append(statement.batch_id.hex())
            seal = make_seal(statement, self._seal_key)
            try:
                answer = await member.submit(
                    "issue", {"seal": seal.to_json(), "statement": statement.to_json()}
                )
            except LedgerUnreachableError:
                return
            self.reported.append(IssuanceAnchor.from_json(answer))
            self._reports.release()


async def test_every_reported_anchor_survives_kill_9_under_load_exactly_once(
    consortium: LiveConsortium,
) -> None:
    moments = random.Random(20261123)
    reported: list[IssuanceAnchor] = []
    sent: list[str] = []
    for _ in range(ROUNDS):
        async with open_session(consortium.root, ISSUER) as session:
            load = Load(session)
            running = asyncio.create_task(load.run())
            await load.report(moments.randint(1, 60))
            await asyncio.sleep(moments.uniform(0, 0.03))  # the moment of the blow, not a wait for anything
            await asyncio.to_thread(consortium.kill)
            await running
        reported += load.reported
        sent += load.sent
        await asyncio.to_thread(consortium.up)

    blocks = await consortium.blocks()
    check_chain(blocks, consortium.genesis)
    counted = anchors(blocks)
    assert {anchor.statement.batch_id.hex() for anchor in reported} <= counted.keys() <= set(sent)
    assert set(counted.values()) == {1}
    ids = [tx_id for tx_id, _, _ in transactions(blocks)]
    assert len(ids) == len(set(ids))
    listed = await consortium.batches(DOCUMENT_TYPE)
    assert len(listed) == len(counted)
    by_id = {anchor.statement.batch_id: anchor for anchor in listed}
    assert all(by_id[anchor.statement.batch_id] == anchor for anchor in reported)


async def test_the_members_agree_on_the_chain_after_the_kills(consortium: LiveConsortium) -> None:
    last = (await consortium.blocks())[-1]
    for member in consortium.topology.members:
        async with consortium.gateway(member.id) as gateway:
            qscc = gateway.get_network(consortium.topology.channel).get_contract("qscc")
            answer = await qscc.evaluate(
                "GetChainInfo",
                arguments=[consortium.topology.channel],
                endorsing_organizations=[member.msp_id],
            )
        info = ledger_pb2.BlockchainInfo.FromString(answer)
        assert (info.height, info.currentBlockHash) == (last.header.number + 1, header_hash(last.header))


@pytest.mark.parametrize("method", ["Endorse", "Submit", "CommitStatus"])
async def test_a_node_killed_before_its_reply_costs_no_receipt_and_makes_no_second_anchor(
    consortium: LiveConsortium, tmp_path: Path, method: str
) -> None:
    certificate = tmp_path / "certificate.txt"
    certificate.write_text(f"killed before the reply to {method}")
    to_issue = FileToIssue(str(certificate), f"{certificate}.receipt.json")
    order = Order(f"killed-at-{method.lower()}")
    with MemberRelay(consortium, "iizuka", killing_at(consortium, method)) as relay:
        view = consortium.seen_from(tmp_path / "view", peers={"iizuka": relay.address})
        with pytest.raises(LedgerUnreachableError):
            await issue(view, [to_issue], order, only_member="iizuka")
    assert not Path(to_issue.receipt_path).exists()

    await asyncio.to_thread(consortium.up)
    await issue(consortium.root, [to_issue], order, journal=view)
    first = Path(to_issue.receipt_path).read_bytes()
    await issue(consortium.root, [to_issue], order, journal=view)
    assert Path(to_issue.receipt_path).read_bytes() == first
    assert [anchor.statement.size for anchor in await consortium.batches(order.document_type)] == [1]


def killing_at(consortium: LiveConsortium, method: str) -> Behaviour:
    """Pass a call on; when its answer is there, kill the node and break off instead of answering."""

    def behave(call: Call) -> bytes:
        answer = call.forward()
        if call.method == method and not call.relay.ended.is_set():
            consortium.kill()
            call.relay.cut()
        return answer

    return behave

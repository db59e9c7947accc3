"""What members confirm goes into receipts when it is there, and later when it was not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from tests.support.member_doubles import ISSUER, City
from tests.support.paper_log import MEMBERS, PaperLog, issuer_record, trust_policy
from tests.support.paper_witnesses import paper_witnesses

from shirushi_client.evidence_gathering import EvidenceGatherer, Gathered
from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue, Issued
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal, State
from shirushi_client.ledger_client import LedgerClient
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.receipt import Receipt

ORDER = Order("income-certificate")


class PaperMembers:
    """Witnesses that log whatever they are asked about, as if its block had just come."""

    def __init__(self, city: City) -> None:
        self.log = PaperLog()
        self.log.add_block(issuers=[issuer_record()])
        self.clock = lambda: int(city.clock())
        self.witnesses = paper_witnesses(self.log, self.clock)
        self.asked = 0

    async def of_batch(self, anchor: IssuanceAnchor) -> Gathered:
        self.asked += 1
        if anchor not in self.log.anchors:
            self.log.add_block(anchors=[anchor])
        heads = HeadVerifier(trust_policy())
        return await EvidenceGatherer(
            list(self.witnesses.values()), heads, self.clock, patience=0.5
        ).of_batch(anchor)

    def only(self, *members: str) -> None:
        for member, witness in self.witnesses.items():
            witness.down = member not in members


@asynccontextmanager
async def issuing(
    city: City, ledger: LedgerClient, journal: Journal, members: PaperMembers | None
) -> AsyncIterator[Issuer]:
    async with Issuer(
        name=ISSUER,
        seal_key=city.party.seal_key,
        ledger=ledger,
        journal=journal,
        evidence=members,
        max_count=4,
        clock=city.clock,
    ) as issuer:
        yield issuer


async def issue_all(issuer: Issuer, files: list[FileToIssue], order: Order = ORDER) -> list[Issued]:
    async with aclosing(issuer.issue_files(files, order)) as batches:
        return [each async for batch in batches for each in batch]


def receipts(files: list[FileToIssue]) -> list[Receipt]:
    return [Receipt.from_bytes(Path(file.receipt_path).read_bytes()) for file in files]


async def test_receipts_carry_what_a_quorum_confirms_and_one_batch_asks_once(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    members = PaperMembers(city)
    async with issuing(city, ledger, journal, members) as issuer:
        issued = await issue_all(issuer, certificates)
    assert members.asked == 3
    assert all(each.confirmed and len(each.confirmed_by) >= 3 for each in issued)
    heads = HeadVerifier(trust_policy())
    for receipt in receipts(certificates):
        assert receipt.log is not None
        assert receipt.status is not None
        assert heads.confirm(receipt.log.head, members.clock()).is_enough


async def test_a_single_certificate_has_it_too(city: City, ledger: LedgerClient, journal: Journal) -> None:
    async with issuing(city, ledger, journal, PaperMembers(city)) as issuer:
        receipt = Receipt.from_bytes(await issuer.issue(b"one", ORDER))
    assert receipt.log is not None
    assert receipt.status is not None


async def test_too_few_members_are_said_and_issuing_the_same_bytes_again_completes_the_receipts(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    members = PaperMembers(city)
    members.only("iizuka", "haw")
    async with issuing(city, ledger, journal, members) as issuer:
        issued = await issue_all(issuer, certificates[:3])
    assert [each.confirmed for each in issued] == [False] * 3
    assert {each.confirmed_by for each in issued} == {("haw", "iizuka")}
    members.only(*MEMBERS)
    async with issuing(city, ledger, journal, members) as issuer:
        again = await issue_all(issuer, certificates[:3])
    assert all(each.confirmed and each.issued_before for each in again)
    heads = HeadVerifier(trust_policy())
    for receipt in receipts(certificates[:3]):
        assert receipt.log is not None
        assert heads.confirm(receipt.log.head, members.clock()).is_enough


async def test_the_same_bytes_again_have_the_same_receipt_and_ask_nobody(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    members = PaperMembers(city)
    async with issuing(city, ledger, journal, members) as issuer:
        await issue_all(issuer, certificates[:4])
    before = receipts(certificates[:4])
    for file in certificates[:4]:
        Path(file.receipt_path).unlink()
    async with issuing(city, ledger, journal, members) as issuer:
        await issue_all(issuer, certificates[:4])
    assert receipts(certificates[:4]) == before
    assert members.asked == 1


async def test_a_receipt_that_was_refreshed_since_is_not_set_back(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    members = PaperMembers(city)
    file = certificates[0]
    async with issuing(city, ledger, journal, members) as issuer:
        await issue_all(issuer, [file])
    (receipt,) = receipts([file])
    members.log.add_block(issuers=[issuer_record(2)])
    heads = HeadVerifier(trust_policy())
    (refreshed,) = await EvidenceGatherer(
        list(members.witnesses.values()), heads, members.clock, patience=0.5
    ).refresh([receipt])
    Path(file.receipt_path).write_bytes(refreshed.to_bytes())
    async with issuing(city, ledger, journal, members) as issuer:
        await issue_all(issuer, [file])
    assert receipts([file]) == [refreshed]


async def test_a_crash_between_committing_and_gathering_loses_nothing(
    city: City, ledger: LedgerClient, journal: Journal, certificates: list[FileToIssue]
) -> None:
    members = PaperMembers(city)
    async with issuing(city, ledger, journal, None) as issuer:
        await issue_all(issuer, certificates[:1])
    (bare,) = receipts(certificates[:1])
    assert bare.log is None
    journal._execute("UPDATE batches SET state = 'committed', deliveries = ?", (_owed(certificates[0]),))
    async with issuing(city, ledger, journal, members) as issuer:
        await issuer.resume()
    (complete,) = receipts(certificates[:1])
    assert replace(complete, log=None, status=None) == bare
    assert complete.log is not None
    assert journal.counts() == {State.DELIVERED: 1}


def _owed(file: FileToIssue) -> str:
    return f'[[0, "{file.receipt_path}"]]'

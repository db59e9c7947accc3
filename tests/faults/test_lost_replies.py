"""The connection breaks when a member has done what it was asked and is about to say so: asking again has the same result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.support.command import shirushi
from tests.support.issuing import issue
from tests.support.live_consortium import LiveConsortium
from tests.support.member_relay import Behaviour, MemberRelay, losing_reply_to

from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.journal import Journal, State
from shirushi_client.ledger_errors import LedgerUnreachableError

METHODS = ["Submit", "CommitStatus"]
"""Calls after which the transaction is under way, or committed."""


@pytest.fixture
def certificates(tmp_path: Path) -> list[FileToIssue]:
    files = []
    for number in range(3):
        path = tmp_path / f"{number}.txt"
        path.write_text(f"certificate {number}")
        files.append(FileToIssue(str(path), f"{path}.receipt.json"))
    return files


def receipts(files: list[FileToIssue]) -> list[bytes]:
    return [Path(file.receipt_path).read_bytes() for file in files]


@contextmanager
def reached_through(
    live: LiveConsortium, view: Path, members: list[str], behaviour: Behaviour
) -> Iterator[Path]:
    """Give a data folder in which some members' peers are reached through somebody else."""
    with ExitStack() as stack:
        peers = {
            member: stack.enter_context(MemberRelay(live, member, behaviour)).address for member in members
        }
        yield live.seen_from(view, peers=peers)


@pytest.mark.parametrize("method", METHODS)
async def test_a_batch_whose_reply_one_member_lost_is_anchored_once_through_another(
    live_consortium: LiveConsortium, tmp_path: Path, certificates: list[FileToIssue], method: str
) -> None:
    order = Order(f"lost-by-one-{method.lower()}")
    with reached_through(live_consortium, tmp_path / "view", ["iizuka"], losing_reply_to(method)) as view:
        await issue(view, certificates, order)
        first = receipts(certificates)
        await issue(view, certificates, order)
    assert receipts(certificates) == first
    (anchor,) = await live_consortium.batches(order.document_type)
    assert anchor.statement.size == len(certificates)


@pytest.mark.parametrize("method", METHODS)
async def test_a_batch_whose_reply_nobody_gave_has_the_same_receipts_when_issued_again(
    live_consortium: LiveConsortium, tmp_path: Path, certificates: list[FileToIssue], method: str
) -> None:
    order = Order(f"lost-by-all-{method.lower()}")
    with (
        reached_through(live_consortium, tmp_path / "view", ["iizuka"], losing_reply_to(method)) as view,
        pytest.raises(LedgerUnreachableError, match="safe to make it again"),
    ):
        await issue(view, certificates, order, only_member="iizuka")
    assert not any(Path(file.receipt_path).exists() for file in certificates)
    with Journal(view / "journal.db") as journal:
        (row,) = journal.unfinished()
        prepared = journal.load(row).batch.statement

    await issue(live_consortium.root, certificates, order, journal=view)
    first = receipts(certificates)
    await issue(live_consortium.root, certificates, order, journal=view)
    assert receipts(certificates) == first
    (anchor,) = await live_consortium.batches(order.document_type)
    assert anchor.statement == prepared
    with Journal(view / "journal.db") as journal:
        assert journal.counts() == {State.DELIVERED: 1}


def test_a_revocation_whose_reply_was_lost_is_made_once(
    live_consortium: LiveConsortium, tmp_path: Path
) -> None:
    certificate = tmp_path / "revoked.txt"
    certificate.write_text("to be revoked")
    data = live_consortium.root
    assert shirushi("issue", certificate, "--type", "lost-revocation", data=data).exit_code == 0
    revoke = ["revoke", str(certificate), "--reason", "issued_in_error", "--json"]
    with reached_through(
        live_consortium, tmp_path / "view", ["iizuka"], losing_reply_to("CommitStatus")
    ) as view:
        first = shirushi(*revoke, data=view)
    assert first.exit_code == 0
    history = shirushi("history", certificate, "--json", data=data).json
    assert history["certificate"] == first.json["records"]

"""Issuing through a consortium's members, as `shirushi issue` does, with the parts that a test varies.

    python -m tests.support.issuing DATA JOURNAL IN OUT TYPE BATCH_SIZE

issues a folder, and prints "resumed" and a line for each batch.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import aclosing
from pathlib import Path

from shirushi_client.issuer.batch import Order
from shirushi_client.issuer.batcher import MAX_COUNT
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.sources import files_to_issue
from shirushi_client.ledger_client import LedgerClient
from shirushi_client.session import ISSUER, open_session


async def issue(
    data: Path,
    files: Iterable[FileToIssue],
    order: Order,
    *,
    journal: Path | None = None,
    only_member: str | None = None,
    max_count: int = MAX_COUNT,
    tell: Callable[[str], object] = lambda text: None,
) -> None:
    """Finish what an earlier run left over, then issue files; the journal may be in another folder."""
    async with open_session(data, ISSUER) as session:
        members = [each for each in session.members if only_member in (None, each.member.id)]
        with Journal((journal or data) / "journal.db") as opened:
            async with Issuer(
                name=session.profile.issuer_id(),
                seal_key=session.profile.load_seal_key(),
                ledger=LedgerClient(session.consortium.channel, members),
                journal=opened,
                max_count=max_count,
            ) as issuer:
                await issuer.resume()
                tell("resumed")
                async with aclosing(issuer.issue_files(files, order)) as batches:
                    async for _ in batches:
                        tell("batch")


def main() -> None:
    data, journal, source, out, document_type = (*map(Path, sys.argv[1:5]), sys.argv[5])
    asyncio.run(
        issue(
            data,
            files_to_issue([source], out),
            Order(document_type),
            journal=journal,
            max_count=int(sys.argv[6]),
            tell=lambda text: os.write(1, f"{text}\n".encode()),
        )
    )


if __name__ == "__main__":
    main()

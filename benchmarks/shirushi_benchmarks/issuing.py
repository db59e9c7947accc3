"""The city's issuer as the profiles open it: through the consortium of a data folder, with a journal of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shirushi_client.evidence_session import open_gatherer
from shirushi_client.issuer.batcher import MAX_COUNT
from shirushi_client.issuer.issuer import Issuer
from shirushi_client.issuer.journal import Journal
from shirushi_client.issuer.readers import Readers
from shirushi_client.session import ISSUER, open_session


@asynccontextmanager
async def open_issuer(
    data: Path,
    journal: Path,
    *,
    batch: int = MAX_COUNT,
    certified: bool = False,
    readers: Readers | None = None,
) -> AsyncIterator[Issuer]:
    """Open the issuer of a data folder's consortium; `batch`, `certified` and `readers` are as `Issuer` and `open_gatherer` have them."""
    async with open_session(data, ISSUER) as session, open_gatherer(data, certified=certified) as evidence:
        with Journal(journal) as opened:
            async with Issuer(
                name=session.profile.issuer_id(),
                seal_key=session.profile.load_seal_key(),
                ledger=session.ledger,
                journal=opened,
                evidence=evidence,
                max_count=batch,
                readers=readers,
            ) as issuer:
                yield issuer

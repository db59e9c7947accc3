"""What gathering stands on: a trust policy, and the witnesses that it names."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shirushi_client.evidence_gathering import EvidenceGatherer
from shirushi_client.trust_policy_file import FILE_NAME, read_policy
from shirushi_client.witness_client import open_witnesses
from shirushi_core.proofs.confirmation import HeadVerifier
from shirushi_core.proofs.trust_policy import TrustPolicy


@asynccontextmanager
async def open_gatherer(data: Path, *, certified: bool = False) -> AsyncIterator[EvidenceGatherer | None]:
    """Open the witnesses of a data folder's trust policy; None if it has no policy, or one without witnesses.

    Raises TrustPolicyFileError, WitnessError.
    """
    path = data / FILE_NAME
    if not path.exists():
        yield None
        return
    async with open_policy(read_policy(path), certified=certified) as gatherer:
        yield gatherer


@asynccontextmanager
async def open_policy(
    policy: TrustPolicy, *, certified: bool = False
) -> AsyncIterator[EvidenceGatherer | None]:
    """Open the witnesses of a policy; None if it names none. Raises WitnessError."""
    async with open_witnesses(policy, int(time.time())) as witnesses:
        yield (
            EvidenceGatherer(witnesses, HeadVerifier(policy), time.time, certified=certified)
            if witnesses
            else None
        )

"""What commands and programs stand on: the data folder, the profile, and the members' contracts, opened together.

async with open_session(None, VERIFIER) as session:
report = await Verifier(session.consortium, session.members).verify(file, receipt_file)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from shirushi_client.consortium import Consortium, load_consortium
from shirushi_client.ledger_client import LedgerClient
from shirushi_client.member_contract import MemberContract, open_members
from shirushi_client.profile import Profile, data_folder, load_profile

ISSUER = "issuer"
VERIFIER = "verifier"


@dataclass(frozen=True, slots=True)
class Session:
    """One view of a consortium, as one profile."""

    data: Path
    consortium: Consortium
    profile: Profile
    members: list[MemberContract]

    @property
    def ledger(self) -> LedgerClient:
        """The ledger through the members' gateways, the profile's own member first."""
        return LedgerClient(self.consortium.channel, self.members)


@asynccontextmanager
async def open_session(named: Path | None, profile_name: str) -> AsyncIterator[Session]:
    """Find the consortium and open it as a profile.

    `named` is its data folder; None takes the one that commands take (`data_folder`). Raises NoConsortiumError,
    ProfileError, ConnectionFileError.
    """
    data = data_folder(named)
    consortium = load_consortium(data)
    profile = load_profile(data, profile_name)
    async with open_members(consortium, profile) as members:
        yield Session(data, consortium, profile, list(members))

"""How long the certificates of a member's nodes last: Fabric starts with expired ones, and then nobody speaks to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from shirushi_network.errors import ConsortiumError
from shirushi_network.expiry import SEAL, CertificateStatus, certificates_of, soonest
from shirushi_network.member_parts import PartName
from shirushi_network.topology import Member

_NOT_OF_NODES = frozenset({PartName.ISSUER, PartName.CLIENT, SEAL})


class ExpiredError(ConsortiumError):
    """A certificate whose time is over, without which a member's nodes do not work."""


def check_lifetimes(home: Path, member: Member, now: datetime) -> None:
    """Raise ExpiredError, naming the file, if what a member's nodes need has expired; MemberKeysError if it is spoilt."""
    first = soonest(_of_nodes(home, now))
    if first is None or first.not_after > now:
        return
    renewal = ""
    if first.what in set(PartName):
        renewal = f": renew it with `shirushi member renew {member.id} --only {first.what}`"
    raise ExpiredError(
        f"the {first.what} certificate of {member.name_en} ({first.path}) expired on {first.not_after:%Y-%m-%d}{renewal}"
    )


def days_left(home: Path, now: datetime) -> int | None:
    """Return how many whole days are left until something that a member's nodes need expires."""
    first = soonest(_of_nodes(home, now))
    return None if first is None else first.days_left


def _of_nodes(home: Path, now: datetime) -> list[CertificateStatus]:
    return [each for each in certificates_of(home, now) if each.what not in _NOT_OF_NODES]

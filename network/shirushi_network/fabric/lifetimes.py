"""How long the certificates of a member's nodes last: Fabric starts with expired ones, and then nobody speaks to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from shirushi_network.errors import ConsortiumError
from shirushi_network.expiry import SEAL, CertificateStatus, certificates_in, certificates_of, soonest
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_path, is_here, public_bundle_of
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


def certificate_days(layout: Layout, member: Member, now: datetime) -> tuple[int | None, list[str]]:
    """Return the whole days until something that a member's nodes need expires, and a sentence on each that has.

    A member elsewhere is known by its bundle; None for one of whom nothing is known.
    """
    try:
        if is_here(layout, member):
            statuses = _of_nodes(layout.members / member.id, now)
        else:
            bundle = public_bundle_of(layout, member)
            statuses = certificates_in(bundle, bundle_path(layout, member), now)
    except ConsortiumError as error:
        return None, [str(error)]
    first = soonest(statuses)
    expired = [
        f"the {each.what} certificate ({each.path}) expired on {each.not_after:%Y-%m-%d}"
        for each in statuses
        if each.not_after <= now
    ]
    return None if first is None else first.days_left, expired


def _of_nodes(home: Path, now: datetime) -> list[CertificateStatus]:
    return [each for each in certificates_of(home, now) if each.what not in _NOT_OF_NODES]

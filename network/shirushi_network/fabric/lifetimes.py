"""How long certificates last: Fabric starts nodes whose certificates have expired, and then nobody speaks to them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from shirushi_network.errors import ConsortiumError
from shirushi_network.expiry import certificates_in, certificates_of, soonest
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_path, is_here, public_bundle_of
from shirushi_network.member_parts import PartName
from shirushi_network.topology import Member

_NODES_NEED = frozenset(PartName) - {PartName.ISSUER, PartName.CLIENT}
"""The witness needs the client besides. Authorities are not among them: a new one comes with a configuration update, for which the nodes have to run."""


class ExpiredError(ConsortiumError):
    """A certificate whose time is over, without which a member's nodes do not work."""


def check_lifetimes(home: Path, member: Member, now: datetime) -> None:
    """Raise ExpiredError, naming the file, if what a member's nodes need has expired; MemberKeysError if it is spoilt."""
    needed = _NODES_NEED if member.witness is None else _NODES_NEED | {PartName.CLIENT}
    first = soonest(each for each in certificates_of(home, now) if each.what in needed)
    if first is not None and first.not_after <= now:
        raise ExpiredError(
            f"the {first.what} certificate of {member.name_en} ({first.path}) expired on {first.not_after:%Y-%m-%d}: "
            f"renew it with `shirushi member renew {member.id} --only {first.what}`"
        )


def certificate_days(layout: Layout, member: Member, now: datetime) -> tuple[int | None, list[str]]:
    """Return the whole days until the first of a member's certificates expires, and a sentence on each that has.

    A member elsewhere is known by its bundle; None for one of whom nothing is known.
    """
    try:
        if is_here(layout, member):
            statuses = certificates_of(layout.members / member.id, now)
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

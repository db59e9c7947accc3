"""How long certificates last: Fabric starts nodes whose certificates have expired, and then nobody speaks to them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from shirushi_network.errors import ConsortiumError
from shirushi_network.expiry import certificates_in, certificates_of, soonest
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import bundle_path, is_here, read_bundle
from shirushi_network.member_parts import PartName
from shirushi_network.topology import Member

_NODES_NEED = frozenset(PartName) - {PartName.ISSUER, PartName.CLIENT}
"""Authorities are not among them: a new one comes with a configuration update, for which the nodes have to run."""


class ExpiredError(ConsortiumError):
    """A certificate whose time is over, without which a member's nodes do not work."""


def check_lifetimes(home: Path, member: Member, now: datetime) -> None:
    """Raise ExpiredError, naming the file, if what a member's nodes need has expired; MemberKeysError if it is spoilt."""
    first = soonest(each for each in certificates_of(home, now) if each.what in _NODES_NEED)
    if first is not None and first.not_after <= now:
        raise ExpiredError(
            f"the {first.what} certificate of {member.name_en} ({first.path}) expired on {first.not_after:%Y-%m-%d}: "
            f"renew it with `shirushi member renew {member.id} --only {first.what}`"
        )


def days_left(layout: Layout, member: Member, now: datetime) -> int | None:
    """Return how many whole days are left until the first of a member's certificates expires, negative after that.

    They are those of its folder, else of its bundle; None if neither is here. Raises MemberKeysError, BundleError.
    """
    if is_here(layout, member):
        found = certificates_of(layout.members / member.id, now)
    else:
        path = bundle_path(layout, member)
        if not path.exists():
            return None
        found = certificates_in(read_bundle(path), path, now)
    first = soonest(found)
    return None if first is None else first.days_left

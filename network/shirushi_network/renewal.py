"""Renewing a member's certificates with the CAs it has, before they expire.

Each part is replaced in one step: a crash leaves the old pair or the new one in place, never one's certificate with the
other's key. What was replaced is kept in superseded/. CAs are never renewed: they come into the channel by a
configuration update.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from shirushi_client.whole_files import sync_folder
from shirushi_network.certificates import CLOCK_SKEW, KeyPair, Period
from shirushi_network.exchange import exchange
from shirushi_network.files import write_atomically
from shirushi_network.member_files import MemberKeysError, make_folder, sync_tree, write_public
from shirushi_network.member_keys import CERTIFICATE_DAYS
from shirushi_network.member_parts import WITNESS_FOLDER, Part, PartName, issue_part, new_key, parts_of
from shirushi_network.msp_folder import read_public_msp, write_identity, write_public_msp, write_tls
from shirushi_network.own_authority import CA, TLS_CA, load_authority_pair, load_pair
from shirushi_network.superseded import SUPERSEDED, superseded_folder
from shirushi_network.topology import Member
from shirushi_network.witness_keys import complete_witness

USUAL_PARTS = (
    PartName.PEER,
    PartName.PEER_TLS,
    PartName.CHAINCODE_TLS,
    PartName.WITNESS_TLS,
    PartName.ADMIN,
    PartName.CLIENT,
)
"""What is renewed if nothing is named, of what the member has: the others count only once the channel or the issuer registry knows of them."""

_ROTATE = "a channel configuration update has to name the new certificate (`shirushi channel rotate`); restart the orderer after it"
_FOLLOWS = {
    PartName.PEER: "restart the peer",
    PartName.PEER_TLS: "restart the peer",
    PartName.CHAINCODE_TLS: "restart the chaincode service",
    PartName.WITNESS_TLS: "restart the witness",
    PartName.ORDERER: _ROTATE,
    PartName.ORDERER_TLS: _ROTATE,
    PartName.ISSUER: (
        "an issuer registry proposal has to give the issuer's record the submit key with its new window, before issuing goes on"
    ),
    PartName.ADMIN: (
        "give the new folder to whoever acts as admin, and the member's new bundle to the others: the next trust policy "
        "(`shirushi channel policy`) has to name the new key"
    ),
    PartName.CLIENT: "give the new folder to whoever uses it; restart the witness",
}


@dataclass(frozen=True, slots=True)
class Renewed:
    """A part with a new certificate, where the old one is, and what has to follow."""

    part: PartName
    certificate: Path
    not_after: datetime
    superseded: Path | None  # None if there was none before
    follows: str


def renew(
    home: Path,
    member: Member,
    names: Collection[PartName] = (),
    *,
    now: datetime,
    keep_key: bool = False,
    days: int = CERTIFICATE_DAYS,
) -> list[Renewed]:
    """Renew parts of a member's folder (none named: USUAL_PARTS), with new keys unless `keep_key`.

    A certificate never outlasts its CA. Raises MemberKeysError: nothing is changed unless all certificates could be made.
    """
    parts = _chosen(member, names)
    issuers = {name: _issuer(home, name, now) for name in {_issuer_name(part) for part in parts}}
    made = []
    for part in parts:
        issuer = issuers[_issuer_name(part)]
        kept = keep_key and (home / part.folder).exists()
        key = load_pair(home / part.certificate, home / part.key).key if kept else new_key()
        end = min(now + timedelta(days=days), issuer.certificate.not_valid_after_utc)
        made.append((part, issue_part(part, member, issuer, key, Period(now - CLOCK_SKEW, end)), kept))
    if any(part.name is PartName.WITNESS_TLS for part in parts):
        _complete(home, member, now, days)
    renewed: list[Renewed] = []
    target = superseded_folder(home, now)
    for part, pair, kept in made:
        try:
            old = _replace_certificate(home, part, pair, target) if kept else _swap(home, part, pair, target)
        except OSError as error:
            raise MemberKeysError(_failure(home / part.folder, error, renewed)) from error
        renewed.append(
            Renewed(
                part.name,
                home / part.certificate,
                pair.certificate.not_valid_after_utc,
                old,
                _FOLLOWS[part.name],
            )
        )
    return renewed


def _complete(home: Path, member: Member, now: datetime, days: int) -> None:
    """Make the witness's keys of a member whose folder is from before it had one."""
    try:
        complete_witness(home, member, now, days)
    except OSError as error:
        raise MemberKeysError(f"{home / WITNESS_FOLDER} could not be made: {error}") from error


def _chosen(member: Member, names: Collection[PartName]) -> list[Part]:
    known = {part.name: part for part in parts_of(member)}
    usual = [name for name in USUAL_PARTS if name in known]
    wanted = list(dict.fromkeys(names or usual))
    for name in wanted:
        if name not in known:
            node = "witness" if name is PartName.WITNESS_TLS else "orderer"
            raise MemberKeysError(f"{member.id} has no {name}: it runs no {node}")
    return [known[name] for name in wanted]


def _issuer_name(part: Part) -> str:
    return TLS_CA if part.is_tls else CA


def _issuer(home: Path, name: str, now: datetime) -> KeyPair:
    return load_authority_pair(
        home, name, now, "renew them there, then `shirushi member import --replace` the new folder"
    )


def _swap(home: Path, part: Part, pair: KeyPair, target: Path) -> Path | None:
    """Make the new folder where the old one is to be kept, and swap the two."""
    live, other = home / part.folder, target / part.folder
    has_old = live.exists()
    try:
        if part.is_tls:
            trust = read_public_msp(home / "msp").tls_trust
            write_tls(other, pair.certificate_pem, pair.key_pem, trust)
        else:
            write_public_msp(other, read_public_msp(home / "msp"))
            write_identity(other, pair.certificate_pem, pair.key_pem)
        sync_tree(home / SUPERSEDED)
        make_folder(live.parent)
    except BaseException:
        _discard(other, target)
        raise
    try:
        if has_old:
            exchange(live, other)
        else:
            other.rename(live)
    except OSError:  # nothing else: after the swap it is the old pair that stands here
        _discard(other, target)
        raise
    sync_folder(live.parent)
    sync_folder(other.parent)
    if has_old:
        return other
    _remove_empty(target)
    return None


def _replace_certificate(home: Path, part: Part, pair: KeyPair, target: Path) -> Path:
    """Keep the key: one file is replaced."""
    live, old = home / part.certificate, target / part.certificate
    write_public(old, live.read_bytes())
    sync_tree(home / SUPERSEDED)
    write_atomically(live, pair.certificate_pem)
    sync_folder(live.parent)
    return old


def _failure(folder: Path, error: OSError, renewed: Iterable[Renewed]) -> str:
    done = ", ".join(each.part for each in renewed)
    so_far = f"; renewed before it: {done}" if done else ""
    if error.errno == errno.ENOTSUP:
        return (
            f"{folder} is on a file system that cannot swap two folders in one step: renew with --keep-key, which replaces "
            f"one file, or keep the data folder on a local disk{so_far}"
        )
    return f"{folder} could not be renewed: {error}{so_far}"


def _discard(new: Path, target: Path) -> None:
    """Delete a pair that never was in its place."""
    shutil.rmtree(new, ignore_errors=True)
    _remove_empty(target)


def _remove_empty(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        with suppress(OSError):  # it still holds something
            Path(folder).rmdir()

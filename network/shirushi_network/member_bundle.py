"""The public bundle: what a member hands to the others, shirushi/member-bundle/v1 (docs/formats/member-bundle.md).

It holds the member's entry of the topology, its public certificates and its witness's public keys, and no private key.
The file is canonical JSON to the last byte, so that its fingerprint is its SHA-256. Witness keys and the admin's
certificate are for trust policies; they do not go into the channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate_chain import MAX_AUTHORITIES
from shirushi_core.fabric.genesis import MemberBundle
from shirushi_core.fabric.signing import load_certificate
from shirushi_core.proofs import bls, ed25519, fields
from shirushi_core.proofs.canonical import Json, decode_canonical, encode
from shirushi_core.proofs.checkpoint import ED25519_SIGNATURE_BYTES
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.member_files import MemberKeysError, only_file, read_file
from shirushi_network.member_keys import load_bundle
from shirushi_network.msp_folder import (
    MAX_REVOCATION_LIST_BYTES,
    canonical_revocation_list,
    first_certificate,
)
from shirushi_network.topology import Member
from shirushi_network.topology_file import member_to_json, parse_member
from shirushi_network.witness_keys import (
    WitnessPublicKeys,
    has_witness_keys,
    load_witness_secrets,
)

FORMAT = "shirushi/member-bundle/v1"

MAX_BUNDLE_BYTES = 1 << 20

_AUTHORITIES = (
    "ca_certificates",
    "intermediate_certificates",
    "tls_ca_certificates",
    "tls_intermediate_certificates",
)
_ORDERER = ("orderer_certificate", "orderer_tls_certificate")
_LISTS = "revocation_lists"
_FIELDS = frozenset({"format", "member", _LISTS, *_AUTHORITIES, *_ORDERER})
_ADMIN, _WITNESS = "admin_certificate", "witness"
_WITNESS_KEYS = {
    "log": 32,
    "cosigner": 32,
    "bls": bls.PUBLIC_KEY_BYTES,
    "log_possession": ED25519_SIGNATURE_BYTES,
    "cosigner_possession": ED25519_SIGNATURE_BYTES,
    "bls_possession": bls.SIGNATURE_BYTES,
}


class BundleError(ConsortiumError):
    """A bundle that is missing, is not what its format says, or is not what the topology expects; the text says whose."""


@dataclass(frozen=True, slots=True)
class PublicBundle:
    """A member's entry of the topology, as the member has it, its certificates, and what a trust policy names.

    `witness` and `admin_certificate` (PEM; its key signs trust policies) are there if the member runs a witness.
    """

    member: Member
    material: MemberBundle
    witness: WitnessPublicKeys | None = None
    admin_certificate: bytes | None = None


def parse_bundle(data: bytes) -> PublicBundle:
    """Read a bundle strictly: no other fields, canonical JSON, canonical PEM; raises BundleError naming the field."""
    try:
        return _parsed(data)
    except InvalidInputError as error:
        raise BundleError(f"not a member's bundle: {error}") from None


def render_bundle(bundle: PublicBundle) -> bytes:
    """Return the file's bytes: the same for the same bundle, everywhere."""
    material = bundle.material
    value: dict[str, Json] = {"format": FORMAT, "member": member_to_json(bundle.member)}
    for name in (*_AUTHORITIES, _LISTS):
        value[name] = [pem.decode() for pem in getattr(material, name)]
    for name in _ORDERER:
        pem = getattr(material, name)
        value[name] = None if pem is None else pem.decode()
    if bundle.witness is not None and bundle.admin_certificate is not None:
        value[_WITNESS] = {name: getattr(bundle.witness, name).hex() for name in _WITNESS_KEYS}
        value[_ADMIN] = bundle.admin_certificate.decode()
    return encode(value)


def fingerprint(bundle: PublicBundle) -> bytes:
    """Return the SHA-256 of the file's bytes."""
    return hashlib.sha256(render_bundle(bundle)).digest()


def read_bundle(path: Path) -> PublicBundle:
    """Read a bundle file; raises BundleError or MemberKeysError naming the file."""
    data = read_file(path, MAX_BUNDLE_BYTES)
    try:
        return parse_bundle(data)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def is_here(layout: Layout, member: Member) -> bool:
    """Say whether a member's keys are on this machine."""
    return (layout.members / member.id).is_dir()


def bundle_path(layout: Layout, member: Member) -> Path:
    """Return where another member's bundle is kept."""
    return layout.bundles / f"{member.id}.json"


def public_bundle_of(layout: Layout, member: Member) -> PublicBundle:
    """Return a member's bundle: out of its own folder if that is here, else the one received from it.

    Raises BundleError, MemberKeysError; whether it is a good one is for check_bundle to say.
    """
    return local_bundle(layout.members, member) if is_here(layout, member) else _received(layout, member)


def local_bundle(root: Path, member: Member) -> PublicBundle:
    """Return the bundle that a member's folder root/<id> makes; raises MemberKeysError."""
    material, home = load_bundle(root, member), root / member.id
    if member.witness is None:
        return PublicBundle(member, material)
    admin = first_certificate(only_file(home / "users" / "admin" / "msp" / "signcerts"))
    if not has_witness_keys(home):
        raise MemberKeysError(
            f"{home} has no keys for the witness of {member.id}: `shirushi consortium up` or `shirushi member renew` makes them"
        )
    return PublicBundle(member, material, load_witness_secrets(home).public_keys(member.id), admin)


def _received(layout: Layout, member: Member) -> PublicBundle:
    path = bundle_path(layout, member)
    if not path.exists():
        raise BundleError(
            f"no bundle of {member.id}: ask {member.name_en} for the file that `shirushi member export {member.id}` "
            "writes there, and give it to `shirushi member add`"
        )
    return read_bundle(path)


def bundle_of(layout: Layout, member: Member) -> MemberBundle:
    """Return a member's material for the channel's configuration; raises BundleError, MemberKeysError.

    The bundle has to have the topology's entry of the member.
    """
    if is_here(layout, member):
        return load_bundle(layout.members, member)
    bundle = _received(layout, member)
    check_entry(bundle, member)
    return bundle.material


def check_entry(bundle: PublicBundle, member: Member) -> None:
    """Check that a bundle is of this very member, at these very addresses; raises BundleError saying what differs."""
    found = bundle.member
    if found.id != member.id:
        raise BundleError(
            f"expected the bundle of {member.id}, found that of {found.id}: take the file that came from {member.name_en}"
        )
    if found.msp_id != member.msp_id:
        raise BundleError(
            f"the bundle of {member.id} is for the MSP id {found.msp_id}, the topology has {member.msp_id}: "
            f"agree with {member.name_en} on one, and have the bundle exported again"
        )
    expected, given = _flat(member_to_json(member)), _flat(member_to_json(found))
    for name in sorted(expected.keys() | given.keys()):
        if expected.get(name) != given.get(name):
            raise BundleError(
                f"the bundle of {member.id} has {name} = {given.get(name, 'nothing')}, the topology "
                f"{expected.get(name, 'nothing')}: agree with {member.name_en} on one, correct topology.toml where it is "
                "wrong, and have the bundle exported again"
            )


def _flat(table: Mapping[str, object], above: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}{name}.")
        else:
            flat[above + name] = value
    return flat


def _parsed(data: bytes) -> PublicBundle:
    found = decode_canonical(data, max_bytes=MAX_BUNDLE_BYTES)
    entry = found.get("member") if isinstance(found, dict) else None
    has_witness = isinstance(entry, dict) and "witness" in entry
    value = fields.an_object(found, "bundle", _FIELDS | {_WITNESS, _ADMIN} if has_witness else _FIELDS)
    fields.a_constant(value["format"], "format", FORMAT)
    member = parse_member(value["member"])
    authorities = {name: _pems(value[name], name) for name in _AUTHORITIES}
    lists = fields.an_array(value[_LISTS], _LISTS, 0, MAX_AUTHORITIES)
    certificate, tls_certificate = (
        None if value[name] is None else _certificate(value[name], name) for name in _ORDERER
    )
    orderer = member.orderer
    if (orderer is None) != (certificate is None) or (orderer is None) != (tls_certificate is None):
        raise InvalidInputError(
            "orderer_certificate: expected this and orderer_tls_certificate if the member's entry has an orderer, and "
            "null for both if it has none"
        )
    bundle = PublicBundle(
        member,
        MemberBundle(
            member_id=member.id,
            msp_id=member.msp_id,
            peer_host=member.peer.host,
            peer_port=member.peer.port,
            orderer_certificate=certificate,
            orderer_tls_certificate=tls_certificate,
            orderer_host=orderer.host if orderer else None,
            orderer_port=orderer.port if orderer else None,
            revocation_lists=tuple(_revocation_list(each, f"{_LISTS}[{n}]") for n, each in enumerate(lists)),
            **authorities,
        ),
        _witness_keys(value[_WITNESS]) if has_witness else None,
        _certificate(value[_ADMIN], _ADMIN) if has_witness else None,
    )
    if render_bundle(bundle) != data:
        raise InvalidInputError("member: expected the entry as `shirushi member export` writes it")
    return bundle


def _witness_keys(value: Json) -> WitnessPublicKeys:
    members = fields.an_object(value, _WITNESS, frozenset(_WITNESS_KEYS))
    keys = {}
    for name, length in _WITNESS_KEYS.items():
        keys[name] = fields.hex_bytes(members[name], f"{_WITNESS}: {name}", high=length)
        if len(keys[name]) != length:
            raise InvalidInputError(f"{_WITNESS}: {name}: expected {length} bytes, found {len(keys[name])}")
    for name in ("log", "cosigner"):
        ed25519.check_public_key(keys[name], f"{_WITNESS}: {name}")
    return WitnessPublicKeys(**keys)


def _pems(value: Json, where: str) -> tuple[bytes, ...]:
    found = fields.an_array(value, where, 0, MAX_AUTHORITIES)
    return tuple(_certificate(each, f"{where}[{number}]") for number, each in enumerate(found))


def _certificate(value: Json, where: str) -> bytes:
    pem = _text(value, where)
    try:
        canonical = load_certificate(pem).public_bytes(Encoding.PEM)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from None
    return _same(pem, canonical, where)


def _revocation_list(value: Json, where: str) -> bytes:
    pem = _text(value, where)
    if len(pem) > MAX_REVOCATION_LIST_BYTES:
        raise InvalidInputError(
            f"{where}: expected at most {MAX_REVOCATION_LIST_BYTES} bytes, found {len(pem)}"
        )
    try:
        canonical = canonical_revocation_list(pem)
    except InvalidInputError as error:
        raise InvalidInputError(f"{where}: {error}") from None
    return _same(pem, canonical, where)


def _text(value: Json, where: str) -> bytes:
    if not isinstance(value, str):
        raise fields.unexpected(where, "PEM text", value)
    return value.encode()


def _same(pem: bytes, canonical: bytes, where: str) -> bytes:
    if pem != canonical:
        raise InvalidInputError(
            f"{where}: expected one PEM block in its canonical form, found other lines or spacing"
        )
    return pem

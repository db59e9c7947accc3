"""Trust policies out of what the members published: the first version, and what the next one makes of the present one.

Pure: the same bundles and times give the same policy. A window that has begun is never moved; what is no longer so ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shirushi_core.fabric.signing import load_certificate
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.trust_policy import (
    KeyUse,
    PolicyIssuer,
    PolicyKey,
    PolicyMember,
    QuorumRule,
    SealChain,
    TrustPolicy,
    WitnessAddress,
    sorted_keys,
)
from shirushi_core.proofs.window import Window
from shirushi_network.errors import ConsortiumError
from shirushi_network.member_bundle import PublicBundle
from shirushi_network.topology import Topology

YEAR_SECONDS = 365 * 86400


class Ends(Enum):
    """When a draft ends that is not told so."""

    AFTER_A_YEAR = "after a year"


class PolicyDraftError(ConsortiumError):
    """A trust policy that cannot be made of what there is; the text says what is missing, or that nothing changed."""


@dataclass(frozen=True, slots=True)
class IssuerSeal:
    """An issuer, and the certificates of a seal of its: DER, the seal's first, up to a root."""

    id: str
    name_ja: str
    name_en: str
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PolicySources:
    """What a policy is made of: the topology, the bundles of its members that run a witness, seals that are known here."""

    topology: Topology
    bundles: Sequence[PublicBundle]
    seals: Sequence[IssuerSeal] = ()


def first_policy(
    sources: PolicySources,
    *,
    issued_at: int,
    expires_at: int | Ends | None = Ends.AFTER_A_YEAR,
    status_max_age: StatusMaxAge | None = None,
) -> TrustPolicy:
    """Return version 1. Its windows begin when the last of the members' admins got the certificate in its bundle.

    `expires_at` None: it does not end. `status_max_age` None: seven days.

    Raises PolicyDraftError, InvalidInputError if the members with a witness and the quorum make no policy.
    """
    _check_witnesses(sources)
    begin = max(_begins(_certificate_of(bundle)) for bundle in sources.bundles)
    window = Window(min(begin, issued_at))
    return TrustPolicy(
        ledger=sources.topology.channel,
        version=1,
        issued_at=issued_at,
        expires_at=_end(expires_at, issued_at),
        members=tuple(_new_member(bundle, window) for bundle in sources.bundles),
        quorums=(QuorumRule(sources.topology.quorum, window),),
        issuers=_issuers((), sources.seals),
        status_max_age=status_max_age or StatusMaxAge(),
    )


def next_policy(
    present: TrustPolicy,
    sources: PolicySources,
    *,
    issued_at: int,
    expires_at: int | Ends | None = Ends.AFTER_A_YEAR,
    status_max_age: StatusMaxAge | None = None,
) -> TrustPolicy:
    """Return the version after the present one; what is new counts from the second after `issued_at`.

    `expires_at` None: it does not end; AFTER_A_YEAR is no change by itself. `status_max_age` None: as the present one has it.

    Raises PolicyDraftError if nothing but times would change, or a member would come back under the id of one that left;
    InvalidInputError as `first_policy` does.
    """
    _check_witnesses(sources)
    if sources.topology.channel != present.ledger:
        raise PolicyDraftError(
            f"the trust policy is of the ledger {present.ledger}, and topology.toml of {sources.topology.channel}"
        )
    bundles = {bundle.member.id: bundle for bundle in sources.bundles}
    known = {member.id for member in present.members}
    issued_at = max(issued_at, present.issued_at)
    begins = Window(issued_at + 1)
    members = [_following(member, bundles.get(member.id), issued_at) for member in present.members]
    members += [_new_member(bundle, begins) for each, bundle in bundles.items() if each not in known]
    changed = replace(
        present,
        members=tuple(members),
        quorums=_quorums(present, sources.topology.quorum, issued_at),
        issuers=_issuers(present.issuers, sources.seals),
        status_max_age=status_max_age or present.status_max_age,
    )
    if changed == present and expires_at in (present.expires_at, Ends.AFTER_A_YEAR):
        raise PolicyDraftError(
            f"the trust policy, version {present.version}, names members, keys, quorum and seals as they are: there is "
            "nothing to change; another end is set with --expires"
        )
    end = _end(expires_at, issued_at)
    return replace(changed, version=present.version + 1, issued_at=issued_at, expires_at=end)


def _end(expires_at: int | Ends | None, issued_at: int) -> int | None:
    return issued_at + YEAR_SECONDS if isinstance(expires_at, Ends) else expires_at


def _check_witnesses(sources: PolicySources) -> None:
    if not sources.bundles:
        raise PolicyDraftError(
            "no member runs a witness: give the members of topology.toml a `witness` first"
        )


def _new_member(bundle: PublicBundle, window: Window) -> PolicyMember:
    keys = sorted_keys([_key(use, *key, window) for use, key in _keys_of(bundle).items()])
    member = bundle.member
    return PolicyMember(member.id, member.name_ja, member.name_en, window, keys, _address(bundle))


def _following(member: PolicyMember, bundle: PublicBundle | None, now: int) -> PolicyMember:
    """Return what becomes of a member: as its bundle says; without one it has left."""
    if bundle is None:
        return replace(member, window=_ended(member.window, now), witness=None)
    if member.window.not_after is not None and member.window.not_after <= now:
        raise PolicyDraftError(
            f"{member.id} was a member until {_day(member.window.not_after)} by the trust policy, and that does not begin "
            "again: it comes back under another id"
        )
    wanted = _keys_of(bundle)
    keys = []
    for key in member.keys:
        given = wanted.get(key.use)
        if given is None or given[0] != key.public_key:
            key = replace(key, window=_ended(key.window, now))
        elif key.window.not_after is not None and key.window.not_after <= now:
            raise PolicyDraftError(
                f"the {key.use} key of {member.id} has ended on {_day(key.window.not_after)} by the trust policy, and its "
                "bundle names it again: the member makes another one"
            )
        else:
            del wanted[key.use]
        keys.append(key)
    keys += [_key(use, *given, Window(now + 1)) for use, given in wanted.items()]
    return replace(
        member,
        name_ja=bundle.member.name_ja,
        name_en=bundle.member.name_en,
        keys=sorted_keys(keys),
        witness=_address(bundle),
    )


def _keys_of(bundle: PublicBundle) -> dict[KeyUse, tuple[bytes, bytes | None]]:
    """Return a member's keys by use, each with its proof of possession; no POLICY key if its admin's is not on P-256."""
    if bundle.witness is None:
        raise PolicyDraftError(
            f"the bundle of {bundle.member.id} has no witness keys: {bundle.member.name_en} exports it again"
        )
    keys: dict[KeyUse, tuple[bytes, bytes | None]] = {
        KeyUse.LOG: (bundle.witness.log, None),
        KeyUse.COSIGNER: (bundle.witness.cosigner, None),
        KeyUse.BLS: (bundle.witness.bls, bundle.witness.bls_possession),
    }
    admin = _certificate_of(bundle).public_key()
    if isinstance(admin, ec.EllipticCurvePublicKey) and isinstance(admin.curve, ec.SECP256R1):
        keys[KeyUse.POLICY] = (admin.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), None)
    return keys


def _key(use: KeyUse, public_key: bytes, possession: bytes | None, window: Window) -> PolicyKey:
    return PolicyKey(use, public_key, window, possession)


def _address(bundle: PublicBundle) -> WitnessAddress | None:
    material = bundle.material
    roots = b"".join((*material.tls_ca_certificates, *material.tls_intermediate_certificates))
    witness = bundle.member.witness
    return None if witness is None else WitnessAddress(witness.url, roots.decode())


def _quorums(present: TrustPolicy, quorum: int, now: int) -> tuple[QuorumRule, ...]:
    if present.quorum_at(now + 1) == quorum:
        return present.quorums
    kept = [replace(rule, window=_ended(rule.window, now)) for rule in present.quorums]
    return (*kept, QuorumRule(quorum, Window(now + 1)))


def _issuers(present: Sequence[PolicyIssuer], seals: Sequence[IssuerSeal]) -> tuple[PolicyIssuer, ...]:
    """Add seals that are new; those that are there stay, until their certificates end."""
    issuers: Mapping[str, PolicyIssuer] = {issuer.id: issuer for issuer in present}
    for seal in seals:
        issuer = issuers.get(seal.id, PolicyIssuer(seal.id, seal.name_ja, seal.name_en, ()))
        if seal.chain not in [each.chain for each in issuer.seals]:
            certificate = x509.load_der_x509_certificate(seal.chain[0])
            window = Window(_begins(certificate), int(certificate.not_valid_after_utc.timestamp()))
            issuer = replace(issuer, seals=(*issuer.seals, SealChain(seal.chain, window)))
        issuers = {**issuers, seal.id: issuer}
    return tuple(issuers.values())


def _ended(window: Window, now: int) -> Window:
    """Return a window that is over by now; one that has ended stays as it is."""
    if window.not_after is not None and window.not_after <= now:
        return window
    return Window(window.not_before, max(now, window.not_before))


def _certificate_of(bundle: PublicBundle) -> x509.Certificate:
    if bundle.admin_certificate is None:
        raise PolicyDraftError(
            f"the bundle of {bundle.member.id} has no admin certificate: {bundle.member.name_en} exports it again"
        )
    return load_certificate(bundle.admin_certificate)


def _begins(certificate: x509.Certificate) -> int:
    return int(certificate.not_valid_before_utc.timestamp())


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"

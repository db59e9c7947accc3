"""A data folder's trust policy: what it is made of here, who of this machine signs it, and where it is kept.

The file is docs/formats/trust-policy.md; while members sign it, it goes from machine to machine as configuration updates do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from shirushi_client.trust_policy_file import earlier_version
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate import parse_certificate
from shirushi_core.fabric.certificate_chain import Authorities, ChainError
from shirushi_core.fabric.signing import load_certificate
from shirushi_core.proofs import es256
from shirushi_core.proofs.policy_update import (
    MAX_POLICY_BYTES,
    SignedPolicy,
    check_following,
    signers,
    verify_signed,
    verify_update,
)
from shirushi_core.proofs.seal_certificate import SealCertificateError, verify_seal_chain
from shirushi_core.proofs.trust_policy import KeyUse, TrustPolicy
from shirushi_network.bundle_checks import check_bundle, check_distinct
from shirushi_network.errors import ConsortiumError
from shirushi_network.files import write_atomically
from shirushi_network.layout import Layout
from shirushi_network.member_access import members_here
from shirushi_network.member_bundle import is_here, public_bundle_of
from shirushi_network.member_files import read_file
from shirushi_network.member_keys import load_bundle
from shirushi_network.member_parts import SEAL_FOLDER
from shirushi_network.msp_folder import certificates_of_file, first_certificate
from shirushi_network.own_authority import load_key
from shirushi_network.policy_draft import IssuerSeal, PolicySources, first_policy, next_policy
from shirushi_network.superseded import SUPERSEDED
from shirushi_network.topology import Member, Topology
from shirushi_network.witness_configuration import hand_out_policy

_ADMIN_KEYS = "users/admin/msp/keystore/*"


class PolicyFileError(ConsortiumError):
    """A trust policy file that cannot be read, signed or kept; the text says why."""


def read_policy(path: Path) -> SignedPolicy:
    """Read a signed policy, or one that is being signed; raises PolicyFileError, MemberKeysError naming the file."""
    try:
        return SignedPolicy.from_bytes(read_file(path, MAX_POLICY_BYTES))
    except InvalidInputError as error:
        raise PolicyFileError(f"{path} is no trust policy: {error}") from None


def read_policies(paths: Sequence[Path]) -> SignedPolicy:
    """Read one policy out of one or more files, with the signatures of all; raises PolicyFileError, MemberKeysError."""
    merged: SignedPolicy | None = None
    for path in paths:
        signed = read_policy(path)
        if merged is None:
            merged = signed
        elif signed.policy != merged.policy:
            raise PolicyFileError(
                f"{path} is another policy than {paths[0]}: only copies of one are put together"
            )
        else:
            merged = _merged(merged, signed)
    if merged is None:
        raise PolicyFileError("expected the file of a trust policy, found none")
    return merged


def present_policy(layout: Layout) -> SignedPolicy | None:
    """Return the policy that a data folder goes by, None if it has none; raises PolicyFileError, MemberKeysError."""
    return read_policy(layout.trust_policy) if layout.trust_policy.exists() else None


def sources_here(
    layout: Layout, topology: Topology, now: datetime, seals: Sequence[IssuerSeal] = ()
) -> PolicySources:
    """Return what this data folder knows for a policy, every bundle checked; the city's seal, if that is here.

    Raises BundleError, MemberKeysError.
    """
    bundles = []
    for member in topology.members:
        if member.witness is not None:
            bundles.append(public_bundle_of(layout, member))
            check_bundle(bundles[-1], member, now)
    check_distinct(bundles)
    own = city_seal(layout, topology)
    return PolicySources(topology, bundles, [*([] if own is None else [own]), *seals])


def city_seal(layout: Layout, topology: Topology) -> IssuerSeal | None:
    """Return the seal of the first issuer with the member's CAs above it; None if its folder, or a seal, is not here."""
    member = topology.member(topology.issuer.member)
    path = layout.members / member.id / SEAL_FOLDER / "cert.pem"
    if not is_here(layout, member) or not path.exists():
        return None
    material = load_bundle(layout.members, member)
    certificate = load_certificate(first_certificate(path))
    chain = [certificate.public_bytes(Encoding.DER)]
    try:
        authorities = Authorities(material.ca_certificates, material.intermediate_certificates)
        chain += [above.certificate.der for above in authorities.issuer_chain(parse_certificate(chain[0]))]
    except ChainError:
        pass  # of another PKI: the policy itself names it then, and nothing above it
    return IssuerSeal(
        topology.issuer.id,
        member.name_ja,
        member.name_en,
        _checked(chain, path),
    )


def read_seal(path: Path, issuer_id: str, name_ja: str, name_en: str) -> IssuerSeal:
    """Read a seal's certificates from a PEM file, the seal's first; raises PolicyFileError, MemberKeysError."""
    chain = [load_certificate(pem).public_bytes(Encoding.DER) for pem in certificates_of_file(path)]
    return IssuerSeal(issuer_id, name_ja, name_en, _checked(chain, path))


def judging_policy(layout: Layout, policy: TrustPolicy) -> TrustPolicy:
    """Return the policy whose members have to sign another: the one before it, for version 1 itself.

    Raises PolicyError if it may not follow what is here, PolicyFileError if that is missing.
    """
    present = present_policy(layout)
    if present is None:
        if policy.version != 1:
            raise PolicyFileError(
                f"version {policy.version} of the trust policy is judged by the one before it, and {layout.trust_policy} is not "
                "there: get that from another member, and compare its fingerprint by phone"
            )
        return policy
    if present.policy == policy:
        return policy
    check_following(present.policy, policy)
    return present.policy


def sign_here(
    layout: Layout, signed: SignedPolicy, by: TrustPolicy, members: Sequence[Member], now: int
) -> tuple[SignedPolicy, tuple[Member, ...]]:
    """Add the signatures of members whose keys are here and who have not signed; returns whose were added.

    A member signs with the admin key that `by` names, also if it has been renewed since; one
    that has no such key here is passed over.
    """
    now = max(now, by.issued_at)
    done, added = set(signers(signed, by, now)), []
    for member in members:
        if member.id in done:
            continue
        key = _policy_key(layout, member, by, now)
        if key is None:
            continue
        signed = signed.signed_by(member.id, key)
        added.append(member)
    return signed, tuple(added)


def keep_if_complete(layout: Layout, signed: SignedPolicy, now: int) -> bool:
    """Put a policy that enough members have signed in trust-policy.json; says whether it is there. Raises PolicyError.

    The version before stays beside it, and the witnesses that run from this folder serve both.
    """
    present = present_policy(layout)
    by = judging_policy(layout, signed.policy)
    now = max(now, by.issued_at)
    if present is not None and present.policy == signed.policy:
        signed = _merged(present, signed)
    elif not is_complete(signed, by, now):
        return False
    elif present is None:
        verify_signed(signed, by, now)
    else:
        verify_update(present.policy, signed, now)
        kept = earlier_version(layout.trust_policy, present.policy.version)
        write_atomically(kept, present.to_bytes())
    write_atomically(layout.trust_policy, signed.to_bytes())
    hand_out_policy(layout)
    return True


def is_complete(signed: SignedPolicy, by: TrustPolicy, now: int) -> bool:
    """Say whether a quorum has signed; raises PolicyError for a signature that does not hold."""
    now = max(now, by.issued_at)
    quorum = by.quorum_at(now)
    return quorum is not None and len(signers(signed, by, now)) >= quorum


def make_first_policy(layout: Layout, topology: Topology, now: datetime) -> bool:
    """Make, sign and keep version 1 where all members' keys are here; says whether it did.

    Nothing is made if there is a policy, a member is elsewhere, or fewer members than the quorum run a witness.
    """
    if layout.trust_policy.exists() or len(members_here(layout, topology.members)) < len(topology.members):
        return False
    if sum(member.witness is not None for member in topology.members) < topology.quorum:
        return False
    at = int(now.timestamp())
    policy = first_policy(sources_here(layout, topology, now), issued_at=at)
    signed, _ = sign_here(layout, SignedPolicy(policy), policy, topology.members, at)
    return keep_if_complete(layout, signed, at)


def is_behind(layout: Layout, topology: Topology, now: datetime) -> bool:
    """Say whether topology or bundles here are no longer what the trust policy names; False where that cannot be said."""
    try:
        present = present_policy(layout)
        if present is None:
            return False
        sources = sources_here(layout, topology, now)
        next_policy(
            present.policy, sources, issued_at=int(now.timestamp()), expires_at=present.policy.expires_at
        )
    except (ConsortiumError, InvalidInputError):
        return False
    return True


def _policy_key(
    layout: Layout, member: Member, by: TrustPolicy, now: int
) -> ec.EllipticCurvePrivateKey | None:
    """Return the private key here of one of a member's policy keys, None if there is none."""
    known = by.member(member.id)
    if known is None or not known.window.holds(now):
        return None
    wanted = {key.public_key for key in known.keys if key.use is KeyUse.POLICY and key.window.holds(now)}
    home = layout.members / member.id
    for path in (*home.glob(_ADMIN_KEYS), *sorted(home.glob(f"{SUPERSEDED}/*/{_ADMIN_KEYS}"), reverse=True)):
        key = load_key(path)
        if isinstance(key, ec.EllipticCurvePrivateKey) and es256.public_key_der(key) in wanted:
            return key
    return None


def _merged(first: SignedPolicy, second: SignedPolicy) -> SignedPolicy:
    known = {(each.member, each.public_key) for each in first.signatures}
    more = [each for each in second.signatures if (each.member, each.public_key) not in known]
    return replace(first, signatures=(*first.signatures, *more))


def _checked(chain: Sequence[bytes], path: Path) -> tuple[bytes, ...]:
    seal = x509.load_der_x509_certificate(chain[0])
    try:
        verify_seal_chain(chain, int(seal.not_valid_before_utc.timestamp()))
    except SealCertificateError as error:
        raise PolicyFileError(f"{path} is no chain of a seal: {error}") from None
    return tuple(chain)

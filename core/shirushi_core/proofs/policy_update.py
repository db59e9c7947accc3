r"""Signed trust policies, and how a new version takes an old one's place.

A signature is ES256 over "shirushi/trust-policy/v1\0" ‖ canonical policy, by an admin key of a member. A new version is taken if
a quorum of the old version's members signed it, it is the next one of the same ledger, and it takes nothing back: members, keys,
rules and seals may be added and their windows ended, never moved or left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from shirushi_core.errors import ShirushiError
from shirushi_core.proofs import es256, fields
from shirushi_core.proofs.canonical import Json, decode, encode
from shirushi_core.proofs.trust_policy import (
    MAX_MEMBERS,
    KeyUse,
    PolicyIssuer,
    PolicyMember,
    TrustPolicy,
)
from shirushi_core.proofs.window import Window

MAX_POLICY_BYTES = 8 << 20
MAX_SIGNATURES = MAX_MEMBERS * 4

_DOMAIN = b"shirushi/trust-policy/v1\0"
_FIELDS = frozenset({"policy", "signatures"})
_SIGNATURE_FIELDS = frozenset({"member", "public_key", "signature"})


class PolicyError(ShirushiError):
    """A trust policy that is not taken: too few signatures, not the next version, or one that rewrites the past."""


@dataclass(frozen=True, slots=True)
class PolicySignature:
    """A member's signature on a policy, and its key's SubjectPublicKeyInfo."""

    member: str
    public_key: bytes
    signature: bytes

    def to_json(self) -> dict[str, Json]:
        """Return {"member", "public_key": hex, "signature": hex}."""
        return {
            "member": self.member,
            "public_key": self.public_key.hex(),
            "signature": self.signature.hex(),
        }

    @classmethod
    def from_json(cls, value: Json) -> PolicySignature:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: signature"
        members = fields.an_object(value, where, _SIGNATURE_FIELDS)
        return cls(
            fields.a_text(members["member"], f"{where}: member"),
            fields.hex_bytes(members["public_key"], f"{where}: public_key", high=256),
            fields.hex_bytes(members["signature"], where, high=es256.MAX_SIGNATURE_BYTES),
        )


@dataclass(frozen=True, slots=True)
class SignedPolicy:
    """A policy and members' signatures on it: what a trust-policy.json holds."""

    policy: TrustPolicy
    signatures: tuple[PolicySignature, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the file's bytes: canonical JSON and a final newline."""
        signatures: list[Json] = [signature.to_json() for signature in self.signatures]
        return encode({"policy": self.policy.to_json(), "signatures": signatures}) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedPolicy:
        """Parse a file; raises InvalidInputError. Whose signatures hold is for `signers` to say."""
        members = fields.an_object(decode(data, max_bytes=MAX_POLICY_BYTES), "trust policy file", _FIELDS)
        signatures = fields.an_array(members["signatures"], "trust policy: signatures", 0, MAX_SIGNATURES)
        return cls(
            TrustPolicy.from_json(members["policy"]),
            tuple(PolicySignature.from_json(each) for each in signatures),
        )

    def signed_by(self, member: str, key: ec.EllipticCurvePrivateKey) -> SignedPolicy:
        """Return the policy with a member's signature in place of the ones that its key made before; raises Es256Error."""
        public_key = es256.public_key_der(key)
        signature = PolicySignature(member, public_key, es256.sign(key, policy_bytes(self.policy)))
        kept = [each for each in self.signatures if (each.member, each.public_key) != (member, public_key)]
        return SignedPolicy(self.policy, (*kept, signature))


def policy_bytes(policy: TrustPolicy) -> bytes:
    """Return the bytes that members sign."""
    return _DOMAIN + encode(policy.to_json())


def signers(signed: SignedPolicy, by: TrustPolicy, now: int) -> tuple[str, ...]:
    """Return the distinct members whose signatures hold under the policy keys that `by` has for them now.

    A signature by a key that `by` does not know counts for nothing; raises PolicyError for one by a known key that does not hold.
    """
    message, found = policy_bytes(signed.policy), []
    for member in by.members_at(now):
        keys = {key.public_key for key in member.keys if key.use is KeyUse.POLICY and key.window.holds(now)}
        for each in signed.signatures:
            if each.member != member.id or each.public_key not in keys:
                continue
            try:
                es256.verify(each.public_key, message, each.signature)
            except es256.Es256Error as error:
                raise PolicyError(
                    f"trust policy version {signed.policy.version}: {member.id}: {error}"
                ) from error
            found.append(member.id)
            break
    return tuple(found)


def verify_signed(signed: SignedPolicy, by: TrustPolicy, now: int) -> TrustPolicy:
    """Return a policy that a quorum of the members of `by` signed; raises PolicyError."""
    found, quorum = signers(signed, by, now), by.quorum_at(now)
    if quorum is None or len(found) < quorum:
        who = ", ".join(found) or "nobody"
        raise PolicyError(
            f"trust policy version {signed.policy.version}: expected signatures of {quorum} members of version {by.version}, "
            f"found {len(found)} ({who})"
        )
    return signed.policy


def verify_update(present: TrustPolicy, signed: SignedPolicy, now: int) -> TrustPolicy:
    """Return the next version of a policy if its members signed it and it takes nothing back; raises PolicyError."""
    _check_next(present, signed.policy)
    verify_signed(signed, present, now)
    _check_kept(present, signed.policy)
    return signed.policy


def check_following(present: TrustPolicy, following: TrustPolicy) -> None:
    """Check that a policy may follow another once it is signed: the next version, which takes nothing back.

    Raises PolicyError.
    """
    _check_next(present, following)
    _check_kept(present, following)


def _check_next(present: TrustPolicy, following: TrustPolicy) -> None:
    if following.ledger != present.ledger:
        raise PolicyError(
            f"trust policy: expected one of the ledger {present.ledger}, found one of {following.ledger}"
        )
    if following.version != present.version + 1:
        raise PolicyError(
            f"trust policy: expected version {present.version + 1}, found {following.version}; versions are taken one by one"
        )
    if following.issued_at < present.issued_at:
        raise PolicyError(f"trust policy version {following.version}: it was issued before the present one")


def _check_kept(present: TrustPolicy, following: TrustPolicy) -> None:
    for what in _taken_back(present, following, following.issued_at):
        raise PolicyError(f"trust policy version {following.version}: it takes back {what}")


def _taken_back(before: TrustPolicy, after: TrustPolicy, now: int) -> Iterable[str]:
    for member in before.members:
        kept = after.member(member.id)
        if kept is None or not kept.window.keeps(member.window, now):
            yield f"the member {member.id}, or its window"
        else:
            yield from _keys_taken_back(member, kept, now)
    rules_before = [(rule.quorum, rule.window) for rule in before.quorums]
    rules_after = [(rule.quorum, rule.window) for rule in after.quorums]
    if not _all_kept(rules_before, rules_after, now):
        yield "a quorum"
    for issuer in before.issuers:
        kept_issuer = after.issuer(issuer.id)
        if kept_issuer is None or not _all_kept(_seals(issuer), _seals(kept_issuer), now):
            yield f"a seal of the issuer {issuer.id}"


def _keys_taken_back(before: PolicyMember, after: PolicyMember, now: int) -> Iterable[str]:
    windows = {(key.use, key.public_key): key.window for key in after.keys}
    for key in before.keys:
        window = windows.get((key.use, key.public_key))
        if window is None or not window.keeps(key.window, now):
            yield f"the {key.use} key {key.key_id.hex()[:16]} of {before.id}, or its window"


def _seals(issuer: PolicyIssuer) -> list[tuple[object, Window]]:
    return [(seal.chain, seal.window) for seal in issuer.seals]


def _all_kept(
    before: Sequence[tuple[object, Window]], after: Sequence[tuple[object, Window]], now: int
) -> bool:
    return all(
        any(value == kept and window.keeps(earlier, now) for kept, window in after)
        for value, earlier in before
    )


def parse_trusted(data: bytes, now: int) -> tuple[SignedPolicy, tuple[str, ...]]:
    """Read a policy that is trusted because of where it came from, and say who of its own members signed it.

    Raises InvalidInputError, PolicyError for a signature that does not hold.
    """
    signed = SignedPolicy.from_bytes(data)
    return signed, signers(signed, signed.policy, max(now, signed.policy.issued_at))

r"""The trust policy: who the members are, their keys, how many must agree, and who seals; a verifier's root of trust.

Everything in it has a window, and nothing is ever taken out: what a receipt rested on in its time stays judgeable after members
and keys have changed. How one version follows another is in policy_update.py, the file form in docs/formats/trust-policy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls, ed25519, es256, fields, policy_checks
from shirushi_core.proofs.canonical import Json, encode
from shirushi_core.proofs.checkpoint import cosigner_key, log_key, origin_of
from shirushi_core.proofs.names import MAX_URL, check_https, check_name
from shirushi_core.proofs.note import VerifierKey
from shirushi_core.proofs.quorum import share_key
from shirushi_core.proofs.status_max_age import StatusMaxAge
from shirushi_core.proofs.window import Window

FORMAT = "shirushi/trust-policy/v1"
MAX_MEMBERS = 64
MAX_KEYS = 64
MAX_ISSUERS = 4096
MAX_CHAIN = 5
MAX_CERTIFICATE_BYTES = 8192
MAX_PEM = 64 * 1024

_FIELDS = frozenset(
    {"expires_at", "format", "issued_at", "issuers", "ledger", "members", "quorums", "version"}
)
_STATUS_MAX_AGE = "status_max_age"
"""A field that policies made before it do not have; they mean StatusMaxAge()."""

_MEMBER_FIELDS = frozenset({"id", "keys", "name", "not_after", "not_before", "witness"})
_KEY_FIELDS = frozenset({"not_after", "not_before", "possession", "public_key", "use"})
_QUORUM_FIELDS = frozenset({"not_after", "not_before", "quorum"})
_ISSUER_FIELDS = frozenset({"id", "name", "seals"})
_SEAL_FIELDS = frozenset({"chain", "not_after", "not_before"})
_NAME_FIELDS = frozenset({"en", "ja"})
_WITNESS_FIELDS = frozenset({"tls_root", "url"})

Item = TypeVar("Item")


class KeyUse(StrEnum):
    """What a member's key is for."""

    LOG = "log"
    """Ed25519: signs checkpoints as the log (note type 0x01)."""

    COSIGNER = "cosigner"
    """Ed25519: cosigns checkpoints (note type 0x04)."""

    BLS = "bls"
    """BLS12-381: its share of quorum certificates; with a proof of possession."""

    POLICY = "policy"
    """ECDSA P-256, an admin's: signs the next version of the policy."""


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """A member's key: its raw bytes (LOG, COSIGNER, BLS) or SubjectPublicKeyInfo (POLICY); `possession` for BLS only."""

    use: KeyUse
    public_key: bytes
    window: Window
    possession: bytes | None = None

    def __post_init__(self) -> None:
        where = f"trust policy: {self.use} key"
        if (self.use is KeyUse.BLS) != (self.possession is not None):
            raise InvalidInputError(
                f"{where}: expected a proof of possession for BLS keys, and for no others"
            )
        try:
            if self.use is KeyUse.POLICY:
                if es256.canonical_public_key(self.public_key) != self.public_key:
                    raise InvalidInputError(f"{where}: expected the canonical form of the key, found another")
            elif self.possession is not None:
                bls.verify_possession(self.public_key, self.possession)
            else:
                ed25519.check_public_key(self.public_key, where)
        except (es256.Es256Error, bls.BlsError) as error:
            raise InvalidInputError(f"{where}: {error}") from error

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the public key: 32 bytes."""
        return sha256(self.public_key).digest()

    def to_json(self) -> dict[str, Json]:
        """Return {"not_after", "not_before", "possession": hex|null, "public_key": hex, "use"}."""
        return {
            **self.window.to_json(),
            "possession": None if self.possession is None else self.possession.hex(),
            "public_key": self.public_key.hex(),
            "use": self.use.value,
        }

    @classmethod
    def from_json(cls, value: Json) -> PolicyKey:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: key"
        members = fields.an_object(value, where, _KEY_FIELDS)
        possession = members["possession"]
        return cls(
            use=fields.a_member(members["use"], f"{where}: use", KeyUse),
            public_key=fields.hex_bytes(members["public_key"], f"{where}: public_key", high=256),
            window=Window.of(members, where),
            possession=None
            if possession is None
            else fields.hex_bytes(possession, f"{where}: possession", high=bls.SIGNATURE_BYTES),
        )


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Where a member's witness answers, and the root (PEM) of its TLS certificate; None: a root that the system knows."""

    url: str
    tls_root: str | None = None

    def __post_init__(self) -> None:
        check_https(self.url, "trust policy: witness: url")

    def to_json(self) -> dict[str, Json]:
        """Return {"tls_root": PEM|null, "url"}."""
        return {"tls_root": self.tls_root, "url": self.url}

    @classmethod
    def from_json(cls, value: Json) -> WitnessAddress:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: witness"
        members = fields.an_object(value, where, _WITNESS_FIELDS)
        root = members["tls_root"]
        url = fields.a_text(members["url"], f"{where}: url", high=MAX_URL)
        return cls(url, None if root is None else fields.a_text(root, f"{where}: tls_root", high=MAX_PEM))


@dataclass(frozen=True, slots=True)
class PolicyMember:
    """A member, with all the keys it ever had."""

    id: str
    name_ja: str
    name_en: str
    window: Window
    keys: tuple[PolicyKey, ...]
    witness: WitnessAddress | None = None

    def __post_init__(self) -> None:
        fields.check_identifier(self.id, "trust policy: member: id")
        for name in (self.name_ja, self.name_en):
            check_name(name, f"trust policy: member {self.id}: name")
        order = [(key.use, key.key_id) for key in self.keys]
        if not 1 <= len(order) <= MAX_KEYS or order != sorted(set(order)):
            raise InvalidInputError(
                f"trust policy: keys of {self.id}: expected 1 to {MAX_KEYS}, sorted by use and SHA-256, each once"
            )

    def to_json(self) -> dict[str, Json]:
        """Return {"id", "keys", "name": {"en", "ja"}, "not_after", "not_before", "witness": {...}|null}."""
        return {
            **self.window.to_json(),
            "id": self.id,
            "keys": [key.to_json() for key in self.keys],
            "name": {"en": self.name_en, "ja": self.name_ja},
            "witness": None if self.witness is None else self.witness.to_json(),
        }

    @classmethod
    def from_json(cls, value: Json) -> PolicyMember:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: member"
        members = fields.an_object(value, where, _MEMBER_FIELDS)
        witness = members["witness"]
        return cls(
            fields.a_text(members["id"], f"{where}: id"),
            *_names(members["name"], where),
            window=Window.of(members, where),
            keys=_tuple(members["keys"], f"{where}: keys", PolicyKey.from_json, MAX_KEYS),
            witness=None if witness is None else WitnessAddress.from_json(witness),
        )


@dataclass(frozen=True, slots=True)
class QuorumRule:
    """How many members must agree, and when that was or is the rule."""

    quorum: int
    window: Window

    def to_json(self) -> dict[str, Json]:
        """Return {"not_after", "not_before", "quorum"}."""
        return {**self.window.to_json(), "quorum": self.quorum}

    @classmethod
    def from_json(cls, value: Json) -> QuorumRule:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: quorum"
        members = fields.an_object(value, where, _QUORUM_FIELDS)
        quorum = fields.check_range(fields.an_integer(members["quorum"], where), where, 1, MAX_MEMBERS)
        return cls(quorum, Window.of(members, where))


@dataclass(frozen=True, slots=True)
class SealChain:
    """A seal's X.509 certificate and those above it up to a root, in DER, the seal's first."""

    chain: tuple[bytes, ...]
    window: Window

    def to_json(self) -> dict[str, Json]:
        """Return {"chain": [hex], "not_after", "not_before"}."""
        return {**self.window.to_json(), "chain": [each.hex() for each in self.chain]}

    @classmethod
    def from_json(cls, value: Json) -> SealChain:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: seal"
        members = fields.an_object(value, where, _SEAL_FIELDS)

        def certificate(each: Json) -> bytes:
            return fields.hex_bytes(each, f"{where}: chain", high=MAX_CERTIFICATE_BYTES)

        chain = _tuple(members["chain"], f"{where}: chain", certificate, MAX_CHAIN, low=1)
        return cls(chain, Window.of(members, where))


@dataclass(frozen=True, slots=True)
class PolicyIssuer:
    """An issuer and the certificates of the seals it ever used."""

    id: str
    name_ja: str
    name_en: str
    seals: tuple[SealChain, ...]

    def __post_init__(self) -> None:
        fields.check_identifier(self.id, "trust policy: issuer: id")
        for name in (self.name_ja, self.name_en):
            check_name(name, f"trust policy: issuer {self.id}: name")

    def to_json(self) -> dict[str, Json]:
        """Return {"id", "name": {"en", "ja"}, "seals"}."""
        return {
            "id": self.id,
            "name": {"en": self.name_en, "ja": self.name_ja},
            "seals": [seal.to_json() for seal in self.seals],
        }

    @classmethod
    def from_json(cls, value: Json) -> PolicyIssuer:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: issuer"
        members = fields.an_object(value, where, _ISSUER_FIELDS)
        issuer = fields.a_text(members["id"], f"{where}: id")
        seals = _tuple(members["seals"], f"{where}: seals", SealChain.from_json, MAX_KEYS)
        return cls(issuer, *_names(members["name"], where), seals=seals)


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """One version of a ledger's trust policy. `version` counts from 1; `expires_at` None: until there is a newer one.

    `status_max_age` None: it was made before there was such a field, and means `StatusMaxAge()`.
    """

    ledger: str
    version: int
    issued_at: int
    expires_at: int | None
    members: tuple[PolicyMember, ...]
    quorums: tuple[QuorumRule, ...]
    issuers: tuple[PolicyIssuer, ...] = ()
    status_max_age: StatusMaxAge | None = None

    def __post_init__(self) -> None:
        fields.check_ledger(self.ledger, "trust policy: ledger")
        fields.check_sequence(self.version, "trust policy: version")
        fields.check_time(self.issued_at, "trust policy: issued_at")
        if self.expires_at is not None:
            fields.check_range(
                self.expires_at, "trust policy: expires_at", self.issued_at, fields.MAX_UNIX_SECONDS
            )
        for what, ids in (
            ("members", [member.id for member in self.members]),
            ("issuers", [issuer.id for issuer in self.issuers]),
        ):
            if len(set(ids)) != len(ids):
                raise InvalidInputError(f"trust policy: {what}: expected each id once")
        keys = [(key.use, key.public_key) for member in self.members for key in member.keys]
        if len(set(keys)) != len(keys):
            # One key of two members would let one of them count twice.
            raise InvalidInputError("trust policy: members: expected each key once, found one again")
        policy_checks.check_key_ids(self)
        if not self.members or not self.quorums:
            raise InvalidInputError("trust policy: expected members, and a quorum")
        if self.quorum_at(self.issued_at) is None:
            raise InvalidInputError("trust policy: quorums: none holds when the policy is issued")
        policy_checks.check_timeline(self)

    @property
    def origin(self) -> str:
        """The origin of the ledger's log."""
        return origin_of(self.ledger)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical policy: 32 bytes, to compare by phone."""
        return sha256(encode(self.to_json())).digest()

    def member(self, member_id: str) -> PolicyMember | None:
        """Return a member by its id."""
        return next((member for member in self.members if member.id == member_id), None)

    def issuer(self, issuer_id: str) -> PolicyIssuer | None:
        """Return an issuer by its id."""
        return next((issuer for issuer in self.issuers if issuer.id == issuer_id), None)

    def members_at(self, at: int) -> tuple[PolicyMember, ...]:
        """Return who was a member at a time."""
        return tuple(member for member in self.members if member.window.holds(at))

    def quorum_at(self, at: int) -> int | None:
        """Return how many members had to agree at a time, None if no rule holds then."""
        return max((rule.quorum for rule in self.quorums if rule.window.holds(at)), default=None)

    def status_max_age_of(self, document_type: str) -> int:
        """Return how old, in seconds, the status of a document of a type may be to be relied on."""
        return (self.status_max_age or StatusMaxAge()).seconds_of(document_type)

    def verifier_key(self, member: PolicyMember, key: PolicyKey) -> VerifierKey | None:
        """Return the note's key that a member's key is; None for a POLICY key, which signs no notes."""
        match key.use:
            case KeyUse.LOG:
                return log_key(self.origin, key.public_key)
            case KeyUse.COSIGNER:
                return cosigner_key(cosigner_name(self.ledger, member.id), key.public_key)
            case KeyUse.BLS:
                return share_key(cosigner_name(self.ledger, member.id), key.public_key)
            case KeyUse.POLICY:
                return None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form, without `status_max_age` if it has none."""
        value: dict[str, Json] = {
            "expires_at": self.expires_at,
            "format": FORMAT,
            "issued_at": self.issued_at,
            "issuers": [issuer.to_json() for issuer in self.issuers],
            "ledger": self.ledger,
            "members": [member.to_json() for member in self.members],
            "quorums": [rule.to_json() for rule in self.quorums],
            "version": self.version,
        }
        if self.status_max_age is not None:
            value[_STATUS_MAX_AGE] = self.status_max_age.to_json()
        return value

    @classmethod
    def from_json(cls, value: Json) -> TrustPolicy:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy"
        has_age = isinstance(value, Mapping) and _STATUS_MAX_AGE in value
        members = fields.an_object(value, where, _FIELDS | {_STATUS_MAX_AGE} if has_age else _FIELDS)
        fields.a_constant(members["format"], f"{where}: format", FORMAT)
        return cls(
            ledger=fields.a_text(members["ledger"], f"{where}: ledger"),
            version=fields.an_integer(members["version"], f"{where}: version"),
            issued_at=fields.an_integer(members["issued_at"], f"{where}: issued_at"),
            expires_at=fields.an_optional_integer(members["expires_at"], f"{where}: expires_at"),
            members=_tuple(members["members"], f"{where}: members", PolicyMember.from_json, MAX_MEMBERS),
            quorums=_tuple(members["quorums"], f"{where}: quorums", QuorumRule.from_json, MAX_KEYS),
            issuers=_tuple(members["issuers"], f"{where}: issuers", PolicyIssuer.from_json, MAX_ISSUERS),
            status_max_age=StatusMaxAge.from_json(members[_STATUS_MAX_AGE]) if has_age else None,
        )


def cosigner_name(ledger: str, member_id: str) -> str:
    """Return the name of a member's cosigner key and share: it names the ledger too."""
    return f"{origin_of(ledger)}/{member_id}"


def sorted_keys(keys: Sequence[PolicyKey]) -> tuple[PolicyKey, ...]:
    """Return keys in the order that a policy has them."""
    return tuple(sorted(keys, key=lambda key: (key.use, key.key_id)))


def _names(value: Json, where: str) -> tuple[str, str]:
    name: Mapping[str, Json] = fields.an_object(value, f"{where}: name", _NAME_FIELDS)
    return (
        fields.a_text(name["ja"], f"{where}: name.ja"),
        fields.a_text(name["en"], f"{where}: name.en"),
    )


def _tuple(
    value: Json, where: str, parse: Callable[[Json], Item], high: int, *, low: int = 0
) -> tuple[Item, ...]:
    return tuple(parse(each) for each in fields.an_array(value, where, low, high))

"""The issuer record: who may issue, with which keys, in which windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.printable import is_printable
from shirushi_core.proofs.public_key import KeyKind, kind_of_key

MAX_KEYS = 64
MAX_DOCUMENT_TYPES = 64
MAX_NAME_CHARACTERS = 200
MAX_PUBLIC_KEY_BYTES = 256

_KEY_FIELDS = frozenset({"key_id", "not_after", "not_before", "public_key", "use"})
_NAME_FIELDS = frozenset({"en", "ja"})
_EARLY_RECORD_FIELDS = frozenset({"id", "keys", "msp_id", "name", "sequence", "state"})
_RECORD_FIELDS = _EARLY_RECORD_FIELDS | {"document_types"}


class IssuerState(StrEnum):
    """Whether an issuer may issue."""

    ACTIVE = "active"
    RETIRED = "retired"


class KeyUse(StrEnum):
    """What a key is for: submitting transactions, or sealing batch statements."""

    SUBMIT = "submit"
    SEAL = "seal"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key and its window.

    JSON: {"key_id": hex, "not_after": unix s, "not_before": unix s, "public_key": hex of SubjectPublicKeyInfo DER,
    "use": "submit"|"seal"}; key_id = SHA-256 of the public key's DER. Seal keys are P-256; submit keys are what Fabric
    identities use: P-256, P-384 or Ed25519.
    """

    use: KeyUse
    public_key: bytes
    not_before: int
    not_after: int

    def __post_init__(self) -> None:
        fields.check_time(self.not_before, "issuer key: not_before")
        fields.check_range(self.not_after, "issuer key: not_after", self.not_before, fields.MAX_UNIX_SECONDS)
        _check_public_key(self.use, self.public_key)

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo: 32 bytes."""
        return sha256(self.public_key).digest()

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        return {
            "key_id": self.key_id.hex(),
            "not_after": self.not_after,
            "not_before": self.not_before,
            "public_key": self.public_key.hex(),
            "use": self.use.value,
        }

    @classmethod
    def from_json(cls, value: Json) -> IssuerKey:
        """Parse strictly; raises InvalidInputError, also when key_id is not that of the public key."""
        what = "issuer key"
        members = fields.an_object(value, what, _KEY_FIELDS)
        key = cls(
            use=fields.a_member(members["use"], f"{what}: use", KeyUse),
            public_key=fields.hex_bytes(
                members["public_key"], f"{what}: public_key", high=MAX_PUBLIC_KEY_BYTES
            ),
            not_before=fields.an_integer(members["not_before"], f"{what}: not_before"),
            not_after=fields.an_integer(members["not_after"], f"{what}: not_after"),
        )
        claimed = fields.hash_bytes(members["key_id"], f"{what}: key_id")
        if claimed != key.key_id:
            raise InvalidInputError(
                f"{what}: key_id: expected {key.key_id.hex()} by its public key, found {claimed.hex()}"
            )
        return key


@dataclass(frozen=True, slots=True)
class IssuerRecord:
    """One version of an issuer's entry in the registry.

    JSON: {"document_types": [str, ...] sorted, "id": str, "keys": [...] sorted by (use, key_id), "msp_id": str,
    "name": {"en": str, "ja": str}, "sequence": int from 1, "state": "active"|"retired"}.
    `document_types` are what the issuer may issue; None in records from before there was such a list, whose JSON has no
    such field.
    """

    id: str
    msp_id: str
    name_ja: str
    name_en: str
    sequence: int
    state: IssuerState
    keys: tuple[IssuerKey, ...]
    document_types: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        fields.check_identifier(self.id, "issuer record: id")
        fields.check_msp_id(self.msp_id, "issuer record: msp_id")
        for name, where in ((self.name_ja, "name.ja"), (self.name_en, "name.en")):
            fields.a_text(name, f"issuer record: {where}", high=MAX_NAME_CHARACTERS)
            if not is_printable(name):
                raise InvalidInputError(
                    f"issuer record: {where}: expected printable text, found a control character"
                )
        fields.check_sequence(self.sequence, "issuer record: sequence")
        order = [(key.use, key.key_id) for key in self.keys]
        if len(order) > MAX_KEYS or order != sorted(set(order)):
            raise InvalidInputError(
                f"issuer record: keys: expected at most {MAX_KEYS}, sorted by use and key_id, each once"
            )
        if self.document_types is not None:
            check_document_types(self.document_types, "issuer record: document_types")

    def may_issue(self, document_type: str) -> bool:
        """Say whether the issuer may issue this type; a record without a list says nothing against any."""
        return self.document_types is None or document_type in self.document_types

    def key_at(self, use: KeyUse, key_id: bytes, at: int) -> IssuerKey | None:
        """Return the key of that use and id whose window holds `at` (unix seconds, both ends included), if any."""
        for key in self.keys:
            if key.use is use and key.key_id == key_id and key.not_before <= at <= key.not_after:
                return key
        return None

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        types: dict[str, Json] = (
            {} if self.document_types is None else {"document_types": list(self.document_types)}
        )
        return types | {
            "id": self.id,
            "keys": [key.to_json() for key in self.keys],
            "msp_id": self.msp_id,
            "name": {"en": self.name_en, "ja": self.name_ja},
            "sequence": self.sequence,
            "state": self.state.value,
        }

    @classmethod
    def from_json(cls, value: Json) -> IssuerRecord:
        """Parse strictly; raises InvalidInputError."""
        what = "issuer record"
        has_types = isinstance(value, Mapping) and "document_types" in value
        members = fields.an_object(value, what, _RECORD_FIELDS if has_types else _EARLY_RECORD_FIELDS)
        name = fields.an_object(members["name"], f"{what}: name", _NAME_FIELDS)
        keys = fields.an_array(members["keys"], f"{what}: keys", 0, MAX_KEYS)
        return cls(
            id=fields.a_text(members["id"], f"{what}: id"),
            msp_id=fields.a_text(members["msp_id"], f"{what}: msp_id"),
            name_ja=fields.a_text(name["ja"], f"{what}: name.ja"),
            name_en=fields.a_text(name["en"], f"{what}: name.en"),
            sequence=fields.an_integer(members["sequence"], f"{what}: sequence"),
            state=fields.a_member(members["state"], f"{what}: state", IssuerState),
            keys=tuple(IssuerKey.from_json(key) for key in keys),
            document_types=_document_types(members["document_types"]) if has_types else None,
        )


def _document_types(value: Json) -> tuple[str, ...]:
    where = "issuer record: document_types"
    types = fields.an_array(value, where, 0, MAX_DOCUMENT_TYPES)
    return tuple([fields.a_text(each, where) for each in types])


def check_document_types(types: Sequence[str], where: str) -> None:
    """Check what a record may list: at most 64 document types, sorted, each once; raises InvalidInputError."""
    for each in types:
        fields.check_identifier(each, where)
    if len(types) > MAX_DOCUMENT_TYPES or list(types) != sorted(set(types)):
        raise InvalidInputError(f"{where}: expected at most {MAX_DOCUMENT_TYPES}, sorted, each once")


def _check_public_key(use: KeyUse, der: bytes) -> None:
    kind = kind_of_key(der)
    if kind is None or (use is KeyUse.SEAL and kind is not KeyKind.P256):
        kinds = "P-256" if use is KeyUse.SEAL else "P-256, P-384 or Ed25519"
        raise fields.unexpected(
            "issuer key: public_key", f"SubjectPublicKeyInfo of a {use} key ({kinds})", der
        )

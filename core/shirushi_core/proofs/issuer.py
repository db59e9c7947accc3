"""The issuer record: who may issue, with which keys, in which windows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shirushi_core.proofs.canonical import Json


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
    """A public key and its window. JSON: {"key_id": hex, "not_after": unix s, "not_before": unix s,
    "public_key": hex of SubjectPublicKeyInfo DER, "use": "submit"|"seal"}; key_id = SHA-256 of the public key's DER.
    """

    use: KeyUse
    public_key: bytes
    not_before: int
    not_after: int

    @property
    def key_id(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo: 32 bytes."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class IssuerRecord:
    """One version of an issuer's entry in the registry.

    JSON: {"id": str, "keys": [...] sorted by (use, key_id), "msp_id": str, "name": {"en": str, "ja": str},
    "sequence": int from 1, "state": "active"|"retired"}.
    """

    id: str
    msp_id: str
    name_ja: str
    name_en: str
    sequence: int
    state: IssuerState
    keys: tuple[IssuerKey, ...]

    def key_at(self, use: KeyUse, key_id: bytes, at: int) -> IssuerKey | None:
        """Return the key of that use and id whose window holds `at` (unix seconds, both ends included), if any."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Json]:
        """Return the JSON form."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, value: Json) -> IssuerRecord:
        """Parse strictly; raises InvalidInputError."""
        raise NotImplementedError

"""How old a status may be that a verifier still relies on: what the members decide in their trust policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json

DEFAULT_SECONDS = 7 * 86400
MAX_TYPES = 256

_FIELDS = frozenset({"default", "types"})


@dataclass(frozen=True, slots=True)
class StatusMaxAge:
    """The greatest age of a status in seconds: of any document type, and of some that have their own, sorted by type."""

    default: int = DEFAULT_SECONDS
    types: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        where = "trust policy: status_max_age"
        names = [name for name, _ in self.types]
        if len(names) > MAX_TYPES or names != sorted(set(names)):
            raise InvalidInputError(
                f"{where}: types: expected at most {MAX_TYPES} document types, sorted, each once"
            )
        for name in names:
            fields.check_identifier(name, f"{where}: type")
        for seconds in (self.default, *(seconds for _, seconds in self.types)):
            fields.check_range(seconds, f"{where}: seconds", 1, fields.MAX_UNIX_SECONDS)

    @classmethod
    def of(cls, default: int, types: Mapping[str, int]) -> StatusMaxAge:
        """Return the value with its types sorted; raises InvalidInputError."""
        return cls(default, tuple(sorted(types.items())))

    def seconds_of(self, document_type: str) -> int:
        """Return how old the status of a document of a type may be."""
        return next((seconds for name, seconds in self.types if name == document_type), self.default)

    def to_json(self) -> dict[str, Json]:
        """Return {"default": seconds, "types": {document type: seconds}}."""
        return {"default": self.default, "types": dict(self.types)}

    @classmethod
    def from_json(cls, value: Json) -> StatusMaxAge:
        """Parse strictly; raises InvalidInputError."""
        where = "trust policy: status_max_age"
        members = fields.an_object(value, where, _FIELDS)
        types = members["types"]
        if not isinstance(types, Mapping):
            raise fields.unexpected(f"{where}: types", "an object", types)
        return cls.of(
            fields.an_integer(members["default"], f"{where}: default"),
            {name: fields.an_integer(each, f"{where}: types") for name, each in types.items()},
        )

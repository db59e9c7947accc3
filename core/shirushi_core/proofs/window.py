"""Windows of time in which a member, a key or a rule counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when, in unix seconds, both ends included; `not_after` None: no end is known yet.

    JSON, among an object's other fields: "not_after": int|null, "not_before": int.
    """

    not_before: int
    not_after: int | None = None

    def __post_init__(self) -> None:
        fields.check_time(self.not_before, "window: not_before")
        if self.not_after is not None:
            fields.check_range(self.not_after, "window: not_after", self.not_before, fields.MAX_UNIX_SECONDS)

    def holds(self, at: int) -> bool:
        """Say whether a time is within the window."""
        return self.not_before <= at and (self.not_after is None or at <= self.not_after)

    def keeps(self, earlier: Window, now: int) -> bool:
        """Say whether this may take an earlier version's place: only an end may change, and not to undo the past.

        An end that has passed stays; one that has not may be moved, into the past too, as for a key that was stolen.
        """
        if self.not_before != earlier.not_before:
            return False
        ended = earlier.not_after is not None and earlier.not_after < now
        return not ended or (self.not_after is not None and self.not_after <= (earlier.not_after or 0))

    def to_json(self) -> dict[str, Json]:
        """Return the two fields."""
        return {"not_after": self.not_after, "not_before": self.not_before}

    @classmethod
    def of(cls, value: Mapping[str, Json], where: str) -> Window:
        """Parse the two fields of an object; raises InvalidInputError."""
        return cls(
            fields.an_integer(value["not_before"], f"{where}: not_before"),
            fields.an_optional_integer(value["not_after"], f"{where}: not_after"),
        )

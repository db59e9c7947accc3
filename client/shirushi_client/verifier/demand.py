"""What is asked of a certificate and of the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Refreshing(StrEnum):
    """What became of asking for newer evidence than the receipt had."""

    NOT_TRIED = "not_tried"
    DONE = "done"

    FAILED = "failed"
    """It was tried, and could not be had; the receipt's own decides."""

    FAILED_AND_NEEDED = "failed_and_needed"
    """It had to be had, and could not."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked: how old the status may be, as of when the certificate is judged, and whose and what it has to be.

    `max_age` in seconds; None: what the trust policy allows for the document type. `at`: a past time (unix seconds), None is now;
    evidence as of that time or later is new enough for it, however old it is. `issuer`, `document_type`: ids, None for any.
    """

    max_age: int | None = None
    at: int | None = None
    refreshing: Refreshing = Refreshing.NOT_TRIED
    issuer: str | None = None
    document_type: str | None = None


NOTHING_ASKED = Demand()

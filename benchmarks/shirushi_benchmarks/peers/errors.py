"""Why a peer was not measured."""

from __future__ import annotations

from shirushi_core.errors import ShirushiError


class CannotMeasureError(ShirushiError):
    """Something that this machine lacks: what needs it is left out, and the rest is measured."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} cannot be measured here, because {reason}")


class MeasuringError(ShirushiError):
    """A program that was to be measured and broke; the text has its own last words."""

"""The witness of one member as a whole: its store, its tasks, its HTTP server."""

from __future__ import annotations

from shirushi_node.ledger.clock import Clock, system_clock
from shirushi_node.witness.settings import (
    OtherWitness,
    WitnessKeys,
    WitnessSettings,
    WitnessStatus,
)

__all__ = ["OtherWitness", "WitnessKeys", "WitnessService", "WitnessSettings", "WitnessStatus"]


class WitnessService:
    """A member's witness; start() opens it, stop() ends every task and closes what is open."""

    def __init__(self, settings: WitnessSettings, *, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._clock = clock

    @property
    def address(self) -> str:
        """Where it is served: host:port."""
        return f"{self._settings.host}:{self._settings.port}"

    async def start(self) -> None:
        """Open the store, serve, and follow the peer; raises WitnessError (folder in use or damaged, address in use).

        Does not wait for the peer or the other witnesses.
        """

    async def stop(self) -> None:
        """End all tasks, stop serving, close the store; bounded in time."""

    def status(self) -> WitnessStatus:
        """Return where the witness stands, also when it is stopped."""
        return WitnessStatus(False, 0, 0, None, None, None, ())

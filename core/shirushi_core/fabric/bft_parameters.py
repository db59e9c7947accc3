"""SmartBFT's timers and buffers as a channel's configuration sets them (orderer.smartbft.Options)."""

from __future__ import annotations

from dataclasses import dataclass, fields

from shirushi_core.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class BftParameters:
    """How patient the orderers are with each other. Seconds, but for the last.

    A leader that stops is replaced once requests have waited `request_forward` and then `request_complain` seconds, or
    nothing was heard of it for `leader_heartbeat`: Fabric's own defaults (20 and 60) keep a city waiting for half a minute.
    `request_pool_size` is how many requests an orderer holds before it refuses more; configtxgen's bare default of 400 is
    below a gateway's 500.
    """

    request_forward: float = 2.0
    request_complain: float = 5.0
    request_auto_remove: float = 180.0
    leader_heartbeat: float = 15.0
    view_change_resend: float = 2.0
    view_change: float = 15.0
    collect: float = 1.0
    request_pool_size: int = 100_000

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0.01 <= value <= 1_000_000
            ):
                raise InvalidInputError(f"bft: {each.name}: expected 0.01 to 1000000, found {value!r}")
        if type(self.request_pool_size) is not int:
            raise InvalidInputError(
                f"bft: request_pool_size: expected an integer, found {self.request_pool_size!r}"
            )
        if not self.request_forward < self.request_complain < self.request_auto_remove:
            raise InvalidInputError(
                "bft: expected request_forward < request_complain < request_auto_remove, as SmartBFT does"
            )
        if self.view_change_resend > self.view_change:
            raise InvalidInputError(
                "bft: expected view_change_resend of at most view_change, as SmartBFT does"
            )


DEFAULT_BFT = BftParameters()

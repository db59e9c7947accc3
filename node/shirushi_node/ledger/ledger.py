"""The channel: ordering, validation and commit, and those who wait for blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fabric_protos.common import common_pb2

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.store import LedgerStore


class OrderingError(ShirushiError):
    """An envelope the orderer refuses; `status` is the common.Status Fabric's orderer answers with.

    BAD_REQUEST (400) malformed, FORBIDDEN (403) not permitted by /Channel/Writers, REQUEST_ENTITY_TOO_LARGE (413),
    SERVICE_UNAVAILABLE (503) queue full or stopping.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class OrdererIdentity:
    """One member's orderer: its consenter id in the channel configuration and its signing identity."""

    consenter_id: int
    identity: SigningIdentity


class Channel:
    """One channel of the embedded ledger: what every member's endpoints stand on.

    All members share one committed ledger: the embedded engine is one machine by definition. Orderers sign each block
    with a BFT quorum of the members' orderer identities.
    """

    name: str
    store: LedgerStore
    definitions: dict[str, ChaincodeDefinition]

    def __init__(
        self,
        path: Path,
        genesis: common_pb2.Block,
        orderers: Sequence[OrdererIdentity],
        definitions: Sequence[ChaincodeDefinition],
        *,
        clock: Clock,
        queue_limit: int = 4096,
    ) -> None:
        raise NotImplementedError

    @property
    def config(self) -> ChannelConfig:
        """The channel configuration in force."""
        raise NotImplementedError

    async def start(self) -> None:
        """Open the store and start ordering."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Commit what is queued (bounded in time), stop ordering, wake all waiters, close the store."""
        raise NotImplementedError

    async def order(self, envelope: bytes) -> None:
        """Check an envelope as an orderer does and queue it; returns once it is accepted, raises OrderingError."""
        raise NotImplementedError

    async def wait_for_height(self, height: int) -> None:
        """Return once at least `height` blocks are committed and durable; ends with ChannelStoppedError on stop."""
        raise NotImplementedError


class ChannelStoppedError(ShirushiError):
    """The channel was stopped while something waited on it."""

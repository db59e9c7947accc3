"""What an orderer does before consensus: checks on each envelope, a bounded queue, and the cutting of blocks.

Source: orderer/common/broadcast, orderer/common/multichannel (BroadcastChannelSupport), orderer/common/msgprocessor;
orderer/consensus/smartbft (blocks are cut by MaxMessageCount and AbsoluteMaxBytes).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from fabric_protos.common import common_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig
from shirushi_core.fabric.envelope import EnvelopeError, EnvelopeHeader, parse_header
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.policy import PolicyError
from shirushi_core.fabric.proposal import header_type_name
from shirushi_node.ledger.examination import Authenticated, Examined, authenticate, examine

WRITERS = "/Channel/Writers"

QUEUE_BYTES = 256 * 1024 * 1024
"""Bytes of envelopes that wait for a block, whatever their number."""


class OrderingError(ShirushiError):
    """An envelope the orderer refuses; `status` is the common.Status Fabric's orderer answers with.

    BAD_REQUEST (400) malformed, FORBIDDEN (403) not permitted by /Channel/Writers, REQUEST_ENTITY_TOO_LARGE (413),
    NOT_IMPLEMENTED (501) configuration updates, SERVICE_UNAVAILABLE (503) queue full or stopping.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class OrdererIdentity:
    """One member's orderer: its consenter id in the channel configuration and its signing identity."""

    consenter_id: int
    identity: SigningIdentity


def check_envelope(data: bytes, config: ChannelConfig, at: datetime) -> Examined:
    """Check an envelope as an orderer does; returns it examined, ready for a block. Raises OrderingError.

    As in Fabric only form, size and the creator's right to write are the orderer's business: a transaction with bad
    endorsements is ordered, and the peers mark it invalid.
    """
    envelope, header = _parse(data)
    _check_type(header, config)
    size = len(envelope.payload) + len(envelope.signature)
    limit = config.batch.absolute_max_bytes
    if size > limit:
        raise OrderingError(
            f"message payload is {size} bytes and exceeds maximum allowed {limit} bytes",
            common_pb2.BAD_REQUEST,
        )
    authenticated = authenticate(bytes(envelope.SerializeToString()), config)
    _check_writer(authenticated, config, at)
    return examine(authenticated, config)


class BlockCutter:
    """The envelopes that wait for a block, bounded in number and bytes."""

    def __init__(self, batch: BatchParameters, limit: int) -> None:
        self._batch = batch
        self._limit = limit
        self._waiting: deque[Examined] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether a block is full."""
        return (
            len(self._waiting) >= self._batch.max_message_count
            or self._bytes >= self._batch.absolute_max_bytes
        )

    def check_room(self, size: int) -> None:
        """Refuse an envelope of this size if the queue is full; raises OrderingError (SERVICE_UNAVAILABLE)."""
        if len(self._waiting) >= self._limit or self._bytes + size > QUEUE_BYTES:
            raise OrderingError(
                f"the orderer's queue is full: {len(self._waiting)} transactions wait; try again later",
                common_pb2.SERVICE_UNAVAILABLE,
            )

    def add(self, examined: Examined) -> None:
        """Queue an envelope; raises OrderingError as check_room."""
        self.check_room(len(examined.data))
        self._waiting.append(examined)
        self._bytes += len(examined.data)

    def cut(self) -> list[Examined]:
        """Take the envelopes of the next block off the queue: as many as fit, at least one if any waits."""
        block: list[Examined] = []
        size = 0
        while self._waiting and len(block) < self._batch.max_message_count:
            size += len(self._waiting[0].data)
            if block and size > self._batch.absolute_max_bytes:
                break
            block.append(self._waiting.popleft())
        self._bytes -= sum(len(each.data) for each in block)
        return block


def _parse(data: bytes) -> tuple[common_pb2.Envelope, EnvelopeHeader]:
    try:
        envelope = common_pb2.Envelope.FromString(data)
        return envelope, parse_header(envelope)
    except DecodeError:
        raise OrderingError("malformed envelope", common_pb2.BAD_REQUEST) from None
    except EnvelopeError as error:
        raise OrderingError(f"could not determine channel ID: {error}", common_pb2.BAD_REQUEST) from None


def _check_type(header: EnvelopeHeader, config: ChannelConfig) -> None:
    if header.channel_id != config.channel_id:
        raise OrderingError("channel does not exist", common_pb2.BAD_REQUEST)
    if header.type == common_pb2.CONFIG_UPDATE:
        raise OrderingError(
            "configuration updates are not implemented by the embedded ledger: its configuration is its genesis block",
            common_pb2.NOT_IMPLEMENTED,
        )
    if header.type == common_pb2.CONFIG:
        raise OrderingError("message is of type that cannot be processed directly", common_pb2.BAD_REQUEST)
    if header.type == common_pb2.ORDERER_TRANSACTION:
        raise OrderingError("message is of type that is no longer supported", common_pb2.BAD_REQUEST)
    if header.type != common_pb2.ENDORSER_TRANSACTION:
        name = header_type_name(header.type)
        raise OrderingError(
            f"transaction of type {name} is not allowed to be included in blocks", common_pb2.BAD_REQUEST
        )


def _check_writer(authenticated: Authenticated, config: ChannelConfig, at: datetime) -> None:
    creator = authenticated.creator
    if creator is not None and creator.expires_at <= at:
        raise OrderingError("broadcast client identity expired", common_pb2.BAD_REQUEST)
    try:
        config.policies.get(WRITERS).evaluate([] if creator is None else [creator])
    except PolicyError as error:
        raise OrderingError(f"{error}: permission denied", common_pb2.FORBIDDEN) from None

"""What an orderer does before consensus: checks on each envelope, a bounded queue, and the cutting of blocks.

Source: orderer/common/broadcast, orderer/common/multichannel (BroadcastChannelSupport), orderer/common/msgprocessor;
orderer/consensus/smartbft (blocks are cut by MaxMessageCount and AbsoluteMaxBytes).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fabric_protos.common import common_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.channel_config import BatchParameters, ChannelConfig
from shirushi_core.fabric.identity import SigningIdentity, expires_at
from shirushi_core.fabric.messages import parse
from shirushi_core.fabric.policy import PolicyError
from shirushi_core.fabric.proposal import INVALID_MESSAGE, header_type_name, transaction_id
from shirushi_node.ledger.examination import Authenticated, Examined, authenticate, examine

WRITERS = "/Channel/Writers"

QUEUE_BYTES = 256 * 1024 * 1024
"""Bytes of envelopes that wait for a block, whatever their number."""

REMEMBERED_TRANSACTIONS = 1000
"""Committed transactions that are not ordered once more: as many as SmartBFT keeps at the least."""

ALREADY_EXISTS = "failed to submit request: request already exists"
ALREADY_PROCESSED = "failed to submit request: request already processed"
"""What an orderer says to an envelope that waits for a block, and to one that is in a block."""


class OrderingError(ShirushiError):
    """An envelope the orderer refuses; `status` is the common.Status Fabric's orderer answers with.

    BAD_REQUEST (400) malformed, FORBIDDEN (403) not permitted by /Channel/Writers, REQUEST_ENTITY_TOO_LARGE (413),
    NOT_IMPLEMENTED (501) configuration updates, SERVICE_UNAVAILABLE (503) queue full or stopping, or taken before.
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
    envelope = _envelope(data)
    _check_type(_channel_header(envelope), config)
    size = len(envelope.payload) + len(envelope.signature)
    limit = config.batch.absolute_max_bytes
    if size > limit:
        raise OrderingError(
            f"message payload is {size} bytes and exceeds maximum allowed {limit} bytes",
            common_pb2.BAD_REQUEST,
        )
    authenticated = authenticate(bytes(envelope.SerializeToString()), config)
    if authenticated.opened is None:
        raise OrderingError(
            "could not convert message to signedData: GetSignatureHeaderFromBytes failed, "
            f"err {INVALID_MESSAGE}",
            common_pb2.BAD_REQUEST,
        )
    _check_writer(authenticated, authenticated.opened.header.creator, config, at)
    return examine(authenticated, config)


class BlockCutter:
    """The envelopes that wait for a block, bounded in number and bytes; none is taken twice.

    As in SmartBFT two envelopes are the same if creator and nonce are. What was committed is remembered for a while, and
    only until the node stops: a transaction that comes later once more is ordered, and found invalid (DUPLICATE_TXID).
    """

    def __init__(self, batch: BatchParameters, limit: int) -> None:
        self._batch = batch
        self._limit = limit
        self._waiting: deque[Examined] = deque()
        self._bytes = 0
        self._taken: set[str] = set()
        self._committed: OrderedDict[str, None] = OrderedDict()

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
        """Queue an envelope; raises OrderingError as check_room, and for one that was taken before."""
        identifier = _request_id(examined)
        if identifier in self._taken:
            raise OrderingError(ALREADY_EXISTS, common_pb2.SERVICE_UNAVAILABLE)
        if identifier in self._committed:
            raise OrderingError(ALREADY_PROCESSED, common_pb2.SERVICE_UNAVAILABLE)
        self.check_room(len(examined.data))
        self._taken.add(identifier)
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

    def committed(self, block: Sequence[Examined]) -> None:
        """Take note that a block is committed."""
        for identifier in map(_request_id, block):
            self._taken.discard(identifier)
            self._committed[identifier] = None
        while len(self._committed) > REMEMBERED_TRANSACTIONS:
            self._committed.popitem(last=False)


def _request_id(examined: Examined) -> str:
    header = examined.header
    return "" if header is None else transaction_id(header.nonce, header.creator)


def _envelope(data: bytes) -> common_pb2.Envelope:
    try:
        return parse(common_pb2.Envelope, data)
    except DecodeError:
        raise OrderingError("malformed envelope", common_pb2.BAD_REQUEST) from None


def _channel_header(envelope: common_pb2.Envelope) -> common_pb2.ChannelHeader:
    """Read the header by which an envelope finds its channel."""
    problem = f"error unmarshalling Payload: {INVALID_MESSAGE}"
    try:
        payload = parse(common_pb2.Payload, envelope.payload)
        header = payload.header
        problem = f"error unmarshalling channel header: error unmarshalling ChannelHeader: {INVALID_MESSAGE}"
        channel_header = parse(common_pb2.ChannelHeader, header.channel_header)
    except DecodeError:
        raise _no_channel(problem) from None
    if not header.channel_header:
        raise _no_channel("channel header not set" if payload.HasField("header") else "header not set")
    return channel_header


def _no_channel(problem: str) -> OrderingError:
    return OrderingError(f"could not determine channel ID: {problem}", common_pb2.BAD_REQUEST)


def _check_type(header: common_pb2.ChannelHeader, config: ChannelConfig) -> None:
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


def _check_writer(authenticated: Authenticated, creator: bytes, config: ChannelConfig, at: datetime) -> None:
    """Check that the creator's certificate has not expired, whoever it is, and then who it is."""
    expiry = expires_at(creator)
    if expiry is not None and expiry <= at:
        raise OrderingError("broadcast client identity expired", common_pb2.BAD_REQUEST)
    signers = [] if authenticated.creator is None else [authenticated.creator]
    try:
        config.policies.get(WRITERS).evaluate(signers)
    except PolicyError as error:
        raise OrderingError(f"{error}: permission denied", common_pb2.FORBIDDEN) from None

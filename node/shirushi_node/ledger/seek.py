"""Seek requests: which blocks a deliver client wants, whether it may have them, and the walk through them.

Source: common/deliver/deliver.go, common/deliver/acl.go, common/ledger/blockledger/fileledger/impl.go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.identity import expires_at
from shirushi_core.fabric.policy import SignedData
from shirushi_node.ledger.access import AccessDeniedError, check_signed_data
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.ledger import Channel, ChannelStoppedError

TIME_WINDOW = 15 * 60
"""Seconds a request's timestamp may be off the node's clock, as in Fabric."""


class SeekError(ShirushiError):
    """A request that ends with a status other than SUCCESS; `status` is the common.Status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class SeekRequest:
    """A seek request taken apart."""

    channel_id: str
    info: ab_pb2.SeekInfo
    signed: SignedData
    expires_at: datetime | None  # None if the creator's certificate cannot be read


def parse_seek(envelope: common_pb2.Envelope, now: datetime) -> SeekRequest:
    """Parse a seek envelope and check its timestamp; raises SeekError (BAD_REQUEST)."""
    try:
        payload = common_pb2.Payload.FromString(envelope.payload)
        if not payload.HasField("header"):
            raise SeekError("envelope has no header", common_pb2.BAD_REQUEST)
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        creator = common_pb2.SignatureHeader.FromString(payload.header.signature_header).creator
        info = ab_pb2.SeekInfo.FromString(payload.data)
    except DecodeError:
        raise SeekError("the seek request is malformed", common_pb2.BAD_REQUEST) from None
    if not header.HasField("timestamp"):
        raise SeekError("channel header in envelope must contain timestamp", common_pb2.BAD_REQUEST)
    apart = abs(now.timestamp() - header.timestamp.seconds - header.timestamp.nanos / 1e9)
    if apart > TIME_WINDOW:
        raise SeekError(
            f"envelope timestamp is {apart:.0f} s apart from the server's time; at most {TIME_WINDOW} s are allowed",
            common_pb2.BAD_REQUEST,
        )
    return SeekRequest(
        channel_id=header.channel_id,
        info=info,
        signed=SignedData(envelope.payload, creator, envelope.signature),
        expires_at=expires_at(creator),
    )


class Seeker:
    """Walks through a channel's blocks for clients that a policy admits."""

    def __init__(self, channel: Channel, policy: str, clock: Clock) -> None:
        self._channel = channel
        self._policy = policy
        self._clock = clock

    def parse(self, envelope: common_pb2.Envelope) -> SeekRequest:
        """Parse a seek envelope as of now; raises SeekError."""
        return parse_seek(envelope, self._clock())

    async def blocks(self, request: SeekRequest) -> AsyncIterator[int]:
        """Yield the numbers of the blocks asked for, waiting for those to come; raises SeekError.

        Each is committed when it is yielded. The client is admitted anew whenever the configuration changes, and only
        until its certificate expires.
        """
        if request.channel_id != self._channel.name:
            raise SeekError(f"channel {request.channel_id} not found", common_pb2.NOT_FOUND)
        sequence = self._admit(request)
        info = request.info
        if not info.HasField("start") or not info.HasField("stop"):
            raise SeekError("the seek request has no start or no stop", common_pb2.BAD_REQUEST)
        number = self._start(info.start)
        last = self._stop(info, number)
        while True:
            if info.behavior == ab_pb2.SeekInfo.FAIL_IF_NOT_READY and number >= self._channel.store.height:
                raise SeekError(f"block {number} is not committed yet", common_pb2.NOT_FOUND)
            try:
                await self._channel.wait_for_height(number + 1)
            except ChannelStoppedError as error:
                raise SeekError(str(error), common_pb2.SERVICE_UNAVAILABLE) from None
            if self._channel.config.sequence != sequence:
                sequence = self._admit(request)
            self._check_expiry(request)
            yield number
            if number == last:
                return
            number += 1

    def _admit(self, request: SeekRequest) -> int:
        self._check_expiry(request)
        config = self._channel.config
        try:
            check_signed_data(config, request.channel_id, self._policy, request.signed)
        except AccessDeniedError as error:
            raise SeekError(str(error), common_pb2.FORBIDDEN) from None
        return config.sequence

    def _check_expiry(self, request: SeekRequest) -> None:
        if request.expires_at is not None and self._clock() > request.expires_at:
            raise SeekError("deliver client identity expired", common_pb2.FORBIDDEN)

    def _start(self, position: ab_pb2.SeekPosition) -> int:
        height = self._channel.store.height
        kind = position.WhichOneof("Type")
        if kind == "oldest":
            return 0
        if kind == "newest":
            return height - 1
        if kind == "next_commit":
            return height
        if kind == "specified" and position.specified.number <= height:
            return int(position.specified.number)
        raise SeekError("the seek request starts beyond the next block", common_pb2.NOT_FOUND)

    def _stop(self, info: ab_pb2.SeekInfo, start: int) -> int:
        kind = info.stop.WhichOneof("Type")
        if kind == "oldest":
            return start
        if kind == "newest":
            return start if info.start == info.stop else self._channel.store.height - 1
        if kind == "specified":
            if info.stop.specified.number < start:
                raise SeekError("the seek request stops before it starts", common_pb2.BAD_REQUEST)
            return int(info.stop.specified.number)
        return 0

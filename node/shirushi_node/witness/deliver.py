"""Blocks from a peer: protos.Deliver, asked with a seek request that a client identity of the member signs.

Source: core/peer/deliverevents.go, common/deliver/deliver.go, orderer/ab.proto; message sizes: internal/pkg/comm/config.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2

from shirushi_core.fabric.committed import DELIVER_RESPONSE, CommittedBlock, read_block
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.wire import WireError, read
from shirushi_node.ledger.clock import Clock
from shirushi_node.ledger.endpoint import MESSAGE_OPTIONS
from shirushi_node.witness.errors import DeliverError

ANSWER_SECONDS = 5.0
"""How long the peer has for its newest block."""

_METHOD = "/protos.Deliver/Deliver"
_LAST = (1 << 64) - 1
_STATUS, _BLOCK = 1, 2  # fields of a DeliverResponse
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 60_000),  # as Fabric's clients; peers allow no more
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


class DeliverSettings(Protocol):
    """Whose peer is asked, for which ledger, and by whom; a witness's settings have it all."""

    @property
    def ledger(self) -> str: ...
    @property
    def identity(self) -> SigningIdentity: ...
    @property
    def peer(self) -> str: ...
    @property
    def peer_tls_roots(self) -> bytes: ...
    @property
    def peer_tls_name(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class PeerAccess:
    """A peer's address (host:port), its TLS roots (PEM) and name, and the client identity that it lets read blocks."""

    ledger: str
    identity: SigningIdentity
    peer: str
    peer_tls_roots: bytes
    peer_tls_name: str | None = None


class Deliverer:
    """One peer's deliver service, over a connection that reconnects by itself; close it with close()."""

    def __init__(self, settings: DeliverSettings, clock: Clock) -> None:
        self._ledger = settings.ledger
        self._peer = settings.peer
        self._identity = settings.identity
        self._clock = clock
        options: list[tuple[str, Any]] = [*MESSAGE_OPTIONS, *_KEEPALIVE]
        if settings.peer_tls_name is not None:
            options.append(("grpc.ssl_target_name_override", settings.peer_tls_name))
        credentials = grpc.ssl_channel_credentials(settings.peer_tls_roots)
        self._channel = grpc.aio.secure_channel(settings.peer, credentials, options=options)
        self._deliver = self._channel.stream_stream(
            _METHOD,
            request_serializer=common_pb2.Envelope.SerializeToString,
            response_deserializer=_as_they_are,  # read by our own reader, which decides what a block says
        )

    async def blocks(self, start: int) -> AsyncGenerator[CommittedBlock]:
        """Yield the peer's blocks from a number on, and wait for those to come.

        Raises DeliverError when that ends, and for a block that is not the next one.
        """
        first = ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=start))
        last = ab_pb2.SeekPosition(specified=ab_pb2.SeekSpecified(number=_LAST))
        async with aclosing(self._seek(first, last)) as blocks:
            async for block in blocks:
                if block.number != start:
                    raise DeliverError(
                        f"the peer at {self._peer} sent block {block.number}, expected block {start}"
                    )
                start += 1
                yield block

    async def newest(self) -> int:
        """Return the number of the peer's newest block; raises DeliverError, also after ANSWER_SECONDS."""
        newest = ab_pb2.SeekPosition(newest=ab_pb2.SeekNewest())
        try:
            async with asyncio.timeout(ANSWER_SECONDS), aclosing(self._seek(newest, newest)) as blocks:
                async for block in blocks:
                    return block.number
        except TimeoutError:
            raise DeliverError(
                f"the peer at {self._peer} did not say within {ANSWER_SECONDS:.0f} s which block is its newest"
            ) from None
        raise DeliverError(f"the peer at {self._peer} has no newest block")

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

    async def _seek(
        self, start: ab_pb2.SeekPosition, stop: ab_pb2.SeekPosition
    ) -> AsyncGenerator[CommittedBlock]:
        call = self._deliver()
        try:
            await call.write(seek_envelope(self._ledger, self._identity, self._clock, start, stop))
            while (response := await call.read()) is not grpc.aio.EOF:
                yield self._block(response)
            status = await call.code()
            raise DeliverError(f"the peer at {self._peer} ended the stream of blocks: {status.name}")
        except grpc.aio.AioRpcError as error:
            raise DeliverError(
                f"the peer at {self._peer} does not deliver blocks: {error.code().name}: {error.details()}"
            ) from None
        except asyncio.InvalidStateError:
            raise DeliverError(f"the peer at {self._peer} ended the stream of blocks") from None
        finally:
            call.cancel()

    def _block(self, response: Any) -> CommittedBlock:
        try:
            message = read(DELIVER_RESPONSE, response)
            if _BLOCK in message:
                return read_block(message[_BLOCK])
        except WireError as error:
            raise DeliverError(f"the peer at {self._peer} sent something else than blocks: {error}") from None
        if _STATUS in message:
            status = message[_STATUS]
            known = status in common_pb2.Status.values()
            name = common_pb2.Status.Name(status) if known else status
            raise DeliverError(f"the peer at {self._peer} ended the stream of blocks with status {name}")
        raise DeliverError(f"the peer at {self._peer} sent something else than blocks")


def _as_they_are(data: bytes) -> bytes:
    return data


def seek_envelope(
    ledger: str,
    identity: SigningIdentity,
    clock: Clock,
    start: ab_pb2.SeekPosition,
    stop: ab_pb2.SeekPosition,
) -> common_pb2.Envelope:
    """Return a signed request for blocks; it is good for 15 minutes from now."""
    header = common_pb2.ChannelHeader(type=common_pb2.DELIVER_SEEK_INFO, channel_id=ledger)
    header.timestamp.FromDatetime(clock())
    creator = common_pb2.SignatureHeader(creator=identity.identity.serialized)
    payload = common_pb2.Payload(
        header=common_pb2.Header(
            channel_header=header.SerializeToString(), signature_header=creator.SerializeToString()
        ),
        data=ab_pb2.SeekInfo(start=start, stop=stop).SerializeToString(),
    ).SerializeToString()
    return common_pb2.Envelope(payload=payload, signature=identity.sign(payload))

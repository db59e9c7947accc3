"""Orderers as clients of the channel see them: their height, and taking envelopes in.

Source: orderer/ab.proto (AtomicBroadcast), orderer/common/broadcast, common/deliver.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
from fabric_protos.common import common_pb2
from fabric_protos.orderer import ab_pb2, ab_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.proposal import transaction_id
from shirushi_network.fabric.participation import OrdererError
from shirushi_network.fabric.peer_admin import CHANNEL_OPTIONS
from shirushi_network.topology import Member

SECONDS = 10.0


class OrdererClient:
    """One member's orderer, spoken to as one identity."""

    def __init__(self, member: Member, identity: SigningIdentity, channel: grpc.aio.Channel) -> None:
        self._member = member
        self._identity = identity
        self._stub = ab_pb2_grpc.AtomicBroadcastStub(channel)

    async def newest_block(self, channel: str) -> common_pb2.Block:
        """Return the newest block the orderer has; raises OrdererError."""
        newest = ab_pb2.SeekPosition(newest=ab_pb2.SeekNewest())
        seek = ab_pb2.SeekInfo(
            start=newest, stop=newest, behavior=ab_pb2.SeekInfo.FAIL_IF_NOT_READY
        ).SerializeToString()
        envelope = self._signed(channel, common_pb2.DELIVER_SEEK_INFO, seek)
        call = self._stub.Deliver(timeout=SECONDS)
        try:
            await call.write(envelope)
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise self._error(f"does not answer: {error.details()}") from error
        finally:
            call.cancel()
        if not isinstance(answer, ab_pb2.DeliverResponse) or not answer.HasField("block"):
            status = getattr(answer, "status", 0)
            raise self._error(f"delivers no block of {channel}: {common_pb2.Status.Name(status)}")
        return answer.block

    async def broadcast(self, envelope: common_pb2.Envelope) -> None:
        """Hand an envelope in; returns when the orderer has taken it. Raises OrdererError with its own words."""
        call = self._stub.Broadcast(timeout=SECONDS)
        try:
            await call.write(envelope)
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise self._error(f"does not answer: {error.details()}") from error
        finally:
            call.cancel()
        if not isinstance(answer, ab_pb2.BroadcastResponse):
            raise self._error("hung up without an answer")
        if answer.status != common_pb2.SUCCESS:
            raise self._error(f"refuses: {answer.info or common_pb2.Status.Name(answer.status)}")

    def _signed(self, channel: str, kind: int, data: bytes) -> common_pb2.Envelope:
        nonce, creator = os.urandom(24), self._identity.identity.serialized
        header = common_pb2.ChannelHeader(
            type=kind,
            channel_id=channel,
            tx_id=transaction_id(nonce, creator),
            timestamp=Timestamp(seconds=int(time.time())),
        )
        signature_header = common_pb2.SignatureHeader(creator=creator, nonce=nonce)
        payload = common_pb2.Payload(
            header=common_pb2.Header(
                channel_header=header.SerializeToString(),
                signature_header=signature_header.SerializeToString(),
            ),
            data=data,
        ).SerializeToString()
        return common_pb2.Envelope(payload=payload, signature=self._identity.sign(payload))

    def _error(self, what: str) -> OrdererError:
        address = self._member.orderer.address if self._member.orderer else ""
        return OrdererError(f"the orderer of {self._member.name_en} ({address}) {what}")


@asynccontextmanager
async def open_orderer(
    member: Member, identity: SigningIdentity, tls_roots: bytes
) -> AsyncIterator[OrdererClient]:
    """Open a member's orderer as an identity; TLS roots are PEM. Raises InvalidInputError if it has none."""
    if member.orderer is None:
        raise InvalidInputError(f"{member.id} has no orderer")
    credentials = grpc.ssl_channel_credentials(tls_roots)
    address = member.orderer.address
    async with grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS) as channel:
        yield OrdererClient(member, identity, channel)

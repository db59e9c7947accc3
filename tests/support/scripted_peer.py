"""A peer that does what a test tells it: a real gRPC connection to a chaincode server, message by message."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from typing import Any

import grpc
from fabric_protos.peer import (
    chaincode_pb2,
    chaincode_shim_pb2,
    chaincode_shim_pb2_grpc,
    proposal_pb2,
    proposal_response_pb2,
)
from google.protobuf.message import Message

from shirushi_core.fabric.proposal import build_proposal, transaction_id

ChaincodeMessage = chaincode_shim_pb2.ChaincodeMessage
CHANNEL = "channel"
CREATOR = b"creator"
PATIENCE = 5.0

_OFFER = chaincode_pb2.ChaincodeAdditionalParams(
    use_write_batch=True,
    max_size_write_batch=1000,
    use_get_multiple_keys=True,
    max_size_get_multiple_keys=1000,
)


class ScriptedPeer:
    """One stream to a chaincode server. What it sends and expects is the test's."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        options = [
            ("grpc.max_receive_message_length", 100 << 20),
            ("grpc.max_send_message_length", 100 << 20),
        ]
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(address, options=options)
        else:
            self.channel = grpc.aio.secure_channel(address, credentials, options=options)
        self.call: Any = None
        self._nonces = itertools.count(1)
        self._unread: list[Any] = []

    async def __aenter__(self) -> ScriptedPeer:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.call is not None:
            self.call.cancel()
        await self.channel.close()

    async def dial(self) -> Any:
        """Open the stream and return the first message."""
        self.call = chaincode_shim_pb2_grpc.ChaincodeStub(self.channel).Connect()
        return await self.read()

    async def register(self, offer: chaincode_pb2.ChaincodeAdditionalParams | None = _OFFER) -> str:
        """Dial and take the registration; returns the package id. No offer is what older peers make."""
        message = await self.dial()
        assert message.type == ChaincodeMessage.REGISTER
        await self.send("REGISTERED")
        await self.send("READY", b"" if offer is None else offer.SerializeToString())
        return str(chaincode_pb2.ChaincodeID.FromString(message.payload).name)

    async def send(self, kind: str, payload: bytes = b"", tx_id: str = "", **fields: Any) -> None:
        await self.call.write(
            ChaincodeMessage(
                type=ChaincodeMessage.Type.Value(kind),
                payload=payload,
                txid=tx_id,
                channel_id=fields.pop("channel_id", CHANNEL if tx_id else ""),
                **fields,
            )
        )

    async def read(self) -> Any:
        """Return the next message; grpc.aio.EOF at the end."""
        if self._unread:
            return self._unread.pop()
        return await asyncio.wait_for(self.call.read(), PATIENCE)

    def unread(self, message: Any) -> None:
        """Have a message be the next one again."""
        self._unread.append(message)

    async def propose(
        self,
        *args: str,
        nonce: bytes | None = None,
        kind: str = "TRANSACTION",
        channel_id: str = CHANNEL,
        transient: Mapping[str, bytes] | None = None,
        decorations: Mapping[str, bytes] | None = None,
    ) -> str:
        """Send a proposal and return its transaction id."""
        if nonce is None:
            nonce = next(self._nonces).to_bytes(24, "big")
        arguments = [each.encode() for each in args]
        proposal = build_proposal(
            channel_id=channel_id,
            chaincode_name="scripted",
            args=arguments,
            creator=CREATOR,
            nonce=nonce,
            seconds=12,
            nanos=34,
            transient=transient,
        )
        signed = proposal_pb2.SignedProposal(
            proposal_bytes=proposal.SerializeToString(), signature=b"signature"
        )
        call = chaincode_pb2.ChaincodeInput(args=arguments, decorations=decorations)
        tx_id = transaction_id(nonce, CREATOR)
        await self.send(kind, call.SerializeToString(), tx_id, channel_id=channel_id, proposal=signed)
        return tx_id

    async def expect(self, kind: str, question: type[Message], tx_id: str | None = None) -> Any:
        """Return what the next message asks, which is to be of the type named."""
        message = await self.read()
        assert message is not grpc.aio.EOF, f"the stream ended: {self.call}"
        assert ChaincodeMessage.Type.Name(message.type) == kind, message
        assert tx_id is None or message.txid == tx_id
        return question.FromString(message.payload)

    async def answer(self, tx_id: str, payload: Message | bytes = b"", **fields: Any) -> None:
        data = payload if isinstance(payload, bytes) else payload.SerializeToString()
        await self.send("RESPONSE", data, tx_id, **fields)

    async def refuse(self, tx_id: str, text: str) -> None:
        await self.send("ERROR", text.encode(), tx_id)

    async def completed(self, tx_id: str | None = None) -> proposal_response_pb2.Response:
        """Return the response in the next message, which is to be COMPLETED."""
        return await self.expect("COMPLETED", proposal_response_pb2.Response, tx_id)

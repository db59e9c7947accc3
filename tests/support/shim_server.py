"""A chaincode server in a few lines over the official messages: each transaction is a coroutine of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import grpc
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    chaincode_shim_pb2,
    chaincode_shim_pb2_grpc,
    proposal_response_pb2,
)
from google.protobuf.message import Message

ChaincodeMessage = chaincode_shim_pb2.ChaincodeMessage
Function: TypeAlias = Callable[["ShimTransaction", list[str]], Awaitable[bytes]]


class PeerRefusedError(Exception):
    """The peer answered ERROR."""


class EndStreamError(Exception):
    """The chaincode crashes: its stream ends in the middle of a transaction."""


class ShimTransaction:
    """One transaction of the chaincode: asks the peer, one question at a time."""

    def __init__(self, message: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        self.message = message
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.event: chaincode_event_pb2.ChaincodeEvent | None = None
        self._send = send

    async def ask(self, kind: str, question: Message | None = None) -> bytes:
        """Send a call to the peer and return its response's payload."""
        message = ChaincodeMessage(
            type=ChaincodeMessage.Type.Value(kind),
            txid=self.message.txid,
            channel_id=self.message.channel_id,
            payload=b"" if question is None else question.SerializeToString(),
        )
        await self._send(message)
        answer = await self.answers.get()
        if answer.type == ChaincodeMessage.ERROR:
            raise PeerRefusedError(answer.payload.decode())
        return bytes(answer.payload)

    async def put(self, key: str, value: bytes) -> None:
        await self.ask("PUT_STATE", chaincode_shim_pb2.PutState(key=key, value=value))

    async def get(self, key: str) -> bytes:
        return await self.ask("GET_STATE", chaincode_shim_pb2.GetState(key=key))


class ShimServer(chaincode_shim_pb2_grpc.ChaincodeServicer):
    """Serves functions by name as a chaincode; the streams it had, and what it was told on registering."""

    def __init__(self, functions: Mapping[str, Function], *, register: bool = True) -> None:
        self.functions = functions
        self.streams = 0
        self.ready: list[chaincode_pb2.ChaincodeAdditionalParams] = []
        self.address = ""
        self._register = register
        self._server: grpc.aio.Server | None = None

    async def start(
        self, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
    ) -> str:
        """Listen, with TLS if credentials are given, and return the address."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        chaincode_shim_pb2_grpc.add_ChaincodeServicer_to_server(self, self._server)
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        await self._server.start()
        self.address = f"127.0.0.1:{port}"
        return self.address

    async def stop(self) -> None:
        """Stop listening and end all streams."""
        if self._server is not None:
            await self._server.stop(None)

    async def Connect(self, messages: AsyncIterator[Any], context: Any) -> None:  # noqa: N802
        self.streams += 1
        running: dict[str, ShimTransaction] = {}
        writing = asyncio.Lock()

        async def send(message: Any) -> None:
            async with writing:
                await context.write(message)

        if not self._register:
            await asyncio.Event().wait()
        name = chaincode_pb2.ChaincodeID(name="external:1.0").SerializeToString()
        await send(ChaincodeMessage(type=ChaincodeMessage.KEEPALIVE))
        await send(ChaincodeMessage(type=ChaincodeMessage.REGISTER, payload=name))
        try:
            async with asyncio.TaskGroup() as tasks:
                async for message in messages:
                    if message.type == ChaincodeMessage.READY:
                        self.ready.append(chaincode_pb2.ChaincodeAdditionalParams.FromString(message.payload))
                    elif message.type in (ChaincodeMessage.TRANSACTION, ChaincodeMessage.INIT):
                        transaction = running[message.txid] = ShimTransaction(message, send)
                        tasks.create_task(self._run(transaction, send))
                    elif message.type in (ChaincodeMessage.RESPONSE, ChaincodeMessage.ERROR):
                        running[message.txid].answers.put_nowait(message)
        except* EndStreamError:
            await context.abort(grpc.StatusCode.ABORTED, "the chaincode crashed")

    async def _run(self, transaction: ShimTransaction, send: Callable[[Any], Awaitable[None]]) -> None:
        arguments = chaincode_pb2.ChaincodeInput.FromString(transaction.message.payload).args
        function, *rest = (argument.decode() for argument in arguments)
        try:
            payload = await self.functions[function](transaction, rest)
            response = proposal_response_pb2.Response(status=200, payload=payload)
        except PeerRefusedError as refusal:
            response = proposal_response_pb2.Response(status=500, message=str(refusal))
        answer = ChaincodeMessage(
            type=ChaincodeMessage.COMPLETED,
            txid=transaction.message.txid,
            channel_id=transaction.message.channel_id,
            payload=response.SerializeToString(),
            chaincode_event=transaction.event,
        )
        await send(answer)

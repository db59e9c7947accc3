"""Chaincodes of the tests, served to real peers from a thread of the test's process, with their messages counted."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from tests.fabric.native_network import NativeNetworkError

from shirushi_chaincode.service.messages import MAX_MESSAGE_BYTES, ChaincodeMessage, kind_name
from shirushi_chaincode.service.metrics import Metrics
from shirushi_chaincode.service.stream import Limits, PeerStream
from shirushi_core.fabric.chaincode import Chaincode
from shirushi_network.fabric.chaincode_package import ccaas_package
from shirushi_network.ports import free_ports

SECONDS = 10.0


@dataclass(frozen=True)
class ServedChaincode:
    """A chaincode at an address; `sent` counts its messages to peers by type."""

    address: str
    sent: Counter[str]


@contextmanager
def served(chaincodes: Mapping[str, Callable[[], Chaincode]]) -> Iterator[dict[str, ServedChaincode]]:
    """Serve chaincodes, each as the package that a consortium makes of its name and address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chaincodes")
    thread.start()

    def run(work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(SECONDS)

    servers = {name: _Server(name, make()) for name, make in chaincodes.items()}
    try:
        for server in servers.values():
            run(server.start())
        yield {name: ServedChaincode(server.address, server.sent) for name, server in servers.items()}
    finally:
        for server in servers.values():
            run(server.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
        loop.close()


class _Server:
    """The service's own streams, under a server that counts what goes over them."""

    def __init__(self, name: str, chaincode: Chaincode) -> None:
        self.address = f"127.0.0.1:{free_ports(1)[0]}"
        self.sent: Counter[str] = Counter()
        self._package_id = ccaas_package(f"{name}_1.0", self.address).package_id
        self._chaincode = chaincode
        self._metrics = Metrics()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        sizes = [(f"grpc.max_{way}_message_length", MAX_MESSAGE_BYTES) for way in ("receive", "send")]
        self._server = grpc.aio.server(options=sizes)
        connect = grpc.stream_stream_rpc_method_handler(self._connect)
        services = (grpc.method_handlers_generic_handler("protos.Chaincode", {"Connect": connect}),)
        self._server.add_generic_rpc_handlers(services)
        if not self._server.add_insecure_port(self.address):
            raise NativeNetworkError(f"{self.address} is in use")
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(None)

    async def _connect(self, _: Any, context: Any) -> None:
        connection = _Counting(context, self.sent)
        await PeerStream(connection, self._chaincode, self._package_id, Limits(), self._metrics).run()


class _Counting:
    """A gRPC call as a connection."""

    def __init__(self, context: Any, sent: Counter[str]) -> None:
        self._context = context
        self._sent = sent

    async def read(self) -> bytes | None:
        message = await self._context.read()
        return None if message is grpc.aio.EOF else message

    async def write(self, message: bytes) -> None:
        self._sent[kind_name(ChaincodeMessage.FromString(message).type)] += 1
        await self._context.write(message)

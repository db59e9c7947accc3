"""The same echo with the bare protocol: the least that a peer takes for a chaincode service.

    python -m shirushi_benchmarks.peers.echo_bare HOST:PORT PACKAGE_ID

registers, and answers every TRANSACTION with COMPLETED, one after the other, in one coroutine. It has no stub, checks nothing,
and does not outlive a peer that misbehaves.
Source: fabric-protos peer/chaincode_shim.proto.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio
from fabric_protos.peer import chaincode_pb2, chaincode_shim_pb2, proposal_response_pb2

_MAX_BYTES = 100 << 20
_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_BYTES),
    ("grpc.max_send_message_length", _MAX_BYTES),
    ("grpc.so_reuseport", 0),
)

ChaincodeMessage = chaincode_shim_pb2.ChaincodeMessage


async def serve(address: str, package_id: str) -> None:
    """Serve until the process is ended; prints a line once peers can dial."""
    name = chaincode_pb2.ChaincodeID(name=package_id).SerializeToString()
    register = ChaincodeMessage(type=ChaincodeMessage.REGISTER, payload=name).SerializeToString()

    async def connect(_: Any, context: Any) -> None:
        await context.write(register)
        while (data := await context.read()) is not grpc.aio.EOF:
            message = ChaincodeMessage.FromString(data)
            if message.type == ChaincodeMessage.TRANSACTION:
                await context.write(_completed(message))
            elif message.type == ChaincodeMessage.KEEPALIVE:
                await context.write(data)

    server = grpc.aio.server(options=_OPTIONS)
    handlers: dict[str, Any] = {"Connect": grpc.stream_stream_rpc_method_handler(connect)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("protos.Chaincode", handlers),))
    server.add_insecure_port(address)
    await server.start()
    print(f"{package_id} is served at {address}", flush=True)  # noqa: T201
    await server.wait_for_termination()


def _completed(message: Any) -> bytes:
    call = chaincode_pb2.ChaincodeInput.FromString(message.payload)
    response = proposal_response_pb2.Response(status=200, payload=b"".join(call.args))
    answer = ChaincodeMessage(
        type=ChaincodeMessage.COMPLETED,
        payload=response.SerializeToString(),
        txid=message.txid,
        channel_id=message.channel_id,
    )
    return bytes(answer.SerializeToString())


def main() -> None:
    """Run the command, in the event loop that our service takes too."""
    work = serve(*sys.argv[1:])
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(work)
    else:
        uvloop.run(work)


if __name__ == "__main__":
    main()

"""The gRPC service gateway.Gateway of one member."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

import grpc
from fabric_protos.gateway import gateway_pb2

from shirushi_node.ledger.gateway.chaincode_events import chaincode_events
from shirushi_node.ledger.gateway.commit_status import commit_status
from shirushi_node.ledger.gateway.endorse import endorse
from shirushi_node.ledger.gateway.errors import GatewayError, abort
from shirushi_node.ledger.gateway.evaluate import evaluate
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.gateway.submit import submit
from shirushi_node.ledger.limits import ConcurrencyLimit, TooManyRequestsError

SERVICE = "gateway.Gateway"

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def gateway_handler(gateway: Gateway) -> grpc.GenericRpcHandler:
    """Return the service for a gRPC server."""
    limit = ConcurrencyLimit(f"/{SERVICE}", gateway.limits.gateway_requests)
    service = _GatewayService(gateway, limit)
    unary = grpc.unary_unary_rpc_method_handler
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Evaluate": unary(service.evaluate, gateway_pb2.EvaluateRequest.FromString, _serialize),
            "Endorse": unary(service.endorse, gateway_pb2.EndorseRequest.FromString, _serialize),
            "Submit": unary(service.submit, gateway_pb2.SubmitRequest.FromString, _serialize),
            "CommitStatus": unary(
                service.commit_status, gateway_pb2.SignedCommitStatusRequest.FromString, _serialize
            ),
            "ChaincodeEvents": grpc.unary_stream_rpc_method_handler(
                service.chaincode_events, gateway_pb2.SignedChaincodeEventsRequest.FromString, _serialize
            ),
        },
    )


class _GatewayService:
    def __init__(self, gateway: Gateway, limit: ConcurrencyLimit) -> None:
        self._gateway = gateway
        self._limit = limit

    async def evaluate(self, request: gateway_pb2.EvaluateRequest, context: _Context) -> Any:
        return await self._answer(context, self._timed(context, evaluate), request)

    async def endorse(self, request: gateway_pb2.EndorseRequest, context: _Context) -> Any:
        return await self._answer(context, self._timed(context, endorse), request)

    async def submit(self, request: gateway_pb2.SubmitRequest, context: _Context) -> Any:
        return await self._answer(context, self._timed(context, submit), request)

    async def commit_status(self, request: gateway_pb2.SignedCommitStatusRequest, context: _Context) -> Any:
        return await self._answer(context, lambda each: commit_status(self._gateway, each), request)

    async def chaincode_events(
        self, request: gateway_pb2.SignedChaincodeEventsRequest, context: _Context
    ) -> None:
        async def send(each: gateway_pb2.SignedChaincodeEventsRequest) -> None:
            responses = chaincode_events(self._gateway, each)
            await context.send_initial_metadata(())  # tells the caller that it misses nothing from now on
            async for response in responses:
                await context.write(response)

        await self._answer(context, send, request)

    def _timed(
        self,
        context: _Context,
        call: Callable[[Gateway, _Request, float | None], Awaitable[_Response]],
    ) -> Callable[[_Request], Awaitable[_Response]]:
        return lambda request: call(self._gateway, request, context.time_remaining())

    async def _answer(
        self,
        context: _Context,
        call: Callable[[_Request], Awaitable[_Response]],
        request: _Request,
    ) -> _Response:
        try:
            with self._limit.slot():
                return await call(request)
        except GatewayError as error:
            await abort(context, error)
        except TooManyRequestsError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise AssertionError("abort returns never") from None


def _serialize(message: Any) -> bytes:
    return bytes(message.SerializeToString())

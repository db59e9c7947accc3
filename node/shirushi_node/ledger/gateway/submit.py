"""Submit: send a transaction to the orderers; accepted once a BFT quorum of them has it.

Source: internal/pkg/gateway/submit.go.
"""

from __future__ import annotations

import asyncio

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2

from shirushi_node.ledger.gateway.errors import GatewayError, error_detail
from shirushi_node.ledger.gateway.evaluate import no_channel
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.ordering import ALREADY_EXISTS, OrderingError


async def submit(
    gateway: Gateway, request: gateway_pb2.SubmitRequest, remaining: float | None
) -> gateway_pb2.SubmitResponse:
    """Order a signed transaction; `remaining` is the caller's time in seconds. Raises GatewayError.

    The members' orderers are one ordering service in this process and check the same rules: one of them judges the
    transaction, and every running one answers so.
    """
    if not request.HasField("prepared_transaction"):
        raise GatewayError(grpc.StatusCode.INVALID_ARGUMENT, "a prepared transaction is required")
    transaction = request.prepared_transaction
    if not transaction.signature:
        raise GatewayError(grpc.StatusCode.INVALID_ARGUMENT, "prepared transaction must be signed")
    if request.channel_id != gateway.channel.name:
        raise GatewayError(grpc.StatusCode.FAILED_PRECONDITION, no_channel(request.channel_id))
    stopped = _stopped(gateway)
    if not gateway.members.can_order:
        raise _insufficient(gateway, stopped)
    try:
        async with asyncio.timeout(remaining):
            await gateway.channel.order(transaction.SerializeToString())
    except TimeoutError:
        raise GatewayError(
            grpc.StatusCode.DEADLINE_EXCEEDED, "submit timeout expired while broadcasting to ordering service"
        ) from None
    except OrderingError as error:
        if str(error) == ALREADY_EXISTS:  # it waits for a block: as good as submitted now
            return gateway_pb2.SubmitResponse()
        status = common_pb2.Status.Name(error.status)
        answer = f"received unsuccessful response from orderer: status={status}, info={error}"
        refused = {member.msp_id: answer for member in gateway.members if member.running}
        raise _insufficient(gateway, stopped | refused) from None
    return gateway_pb2.SubmitResponse()


def _stopped(gateway: Gateway) -> dict[str, str]:
    return {
        member.msp_id: "rpc error: code = Unavailable desc = connection error: "
        f"the orderer at {member.orderer_address} is stopped"
        for member in gateway.members
        if not member.running
    }


def _insufficient(gateway: Gateway, failures: dict[str, str]) -> GatewayError:
    """Return the error; Fabric stops listening once a quorum is out of reach, and so do its details."""
    tolerated = len(list(gateway.members)) - gateway.members.ordering_quorum
    shown = sorted(failures.items())[: tolerated + 1]
    return GatewayError(
        grpc.StatusCode.UNAVAILABLE,
        "insufficient number of orderers could successfully process transaction to satisfy quorum requirement",
        [error_detail(gateway.members[msp_id].orderer_address, msp_id, message) for msp_id, message in shown],
    )

"""CommitStatus: wait for a transaction to be committed, and say how it was judged.

Source: internal/pkg/gateway/commitstatus.go, internal/pkg/gateway/commit.
"""

from __future__ import annotations

import grpc
from fabric_protos.gateway import gateway_pb2
from google.protobuf.message import DecodeError

from shirushi_core.fabric.policy import SignedData
from shirushi_core.fabric.proposal import INVALID_MESSAGE
from shirushi_node.ledger.access import READERS, AccessDeniedError, check_signed_data
from shirushi_node.ledger.gateway.errors import GatewayError
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.ledger import ChannelStoppedError


async def commit_status(
    gateway: Gateway, signed: gateway_pb2.SignedCommitStatusRequest
) -> gateway_pb2.CommitStatusResponse:
    """Answer at once for a committed transaction, else when it is committed; raises GatewayError.

    The wait ends with the call: at its deadline, or when the caller goes.
    """
    request = _check(signed)
    try:
        check_signed_data(
            gateway.channel.config,
            request.channel_id,
            READERS,
            SignedData(signed.request, request.identity, signed.signature),
        )
    except AccessDeniedError as error:
        raise GatewayError(grpc.StatusCode.PERMISSION_DENIED, str(error)) from None
    channel = gateway.channel
    while True:
        height = channel.store.height
        location = channel.store.transaction(request.transaction_id)
        if location is not None:
            return gateway_pb2.CommitStatusResponse(
                result=location.validation_code, block_number=location.block
            )
        try:
            await channel.wait_for_height(height + 1)
        except ChannelStoppedError as error:
            raise GatewayError(grpc.StatusCode.UNAVAILABLE, str(error)) from None


def _check(signed: gateway_pb2.SignedCommitStatusRequest) -> gateway_pb2.CommitStatusRequest:
    refused = grpc.StatusCode.INVALID_ARGUMENT
    if not signed.request:
        raise GatewayError(refused, "a commit status request is required")
    try:
        request = gateway_pb2.CommitStatusRequest.FromString(signed.request)
    except DecodeError:
        raise GatewayError(refused, f"invalid status request: {INVALID_MESSAGE}") from None
    if not request.identity:
        raise GatewayError(refused, "no identity provided")
    if not request.channel_id:
        raise GatewayError(refused, "no channel ID provided")
    if not request.transaction_id:
        raise GatewayError(refused, "transaction ID should not be empty")
    return request

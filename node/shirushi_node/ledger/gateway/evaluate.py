"""Evaluate: run a proposal on one peer and return its result.

Source: internal/pkg/gateway/evaluate.go, registry.go (evaluator).
"""

from __future__ import annotations

import asyncio

import grpc
from fabric_protos.gateway import gateway_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_node.ledger.gateway.attempt import Attempt, ask
from shirushi_node.ledger.gateway.errors import GatewayError
from shirushi_node.ledger.gateway.requests import ProposedTransaction, parse_proposed
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.members import Member


async def evaluate(
    gateway: Gateway, request: gateway_pb2.EvaluateRequest, remaining: float | None
) -> gateway_pb2.EvaluateResponse:
    """Try the peers one after the other, the gateway's own first; `remaining` is the caller's time in seconds.

    Raises GatewayError. Only trouble of a peer is tried elsewhere: an error of the chaincode is an answer.
    """
    try:
        proposed = _check(request)
    except InvalidInputError as error:
        raise GatewayError(
            grpc.StatusCode.INVALID_ARGUMENT, f"failed to unpack transaction proposal: {error}"
        ) from None
    if proposed.channel_id != gateway.channel.name:
        raise GatewayError(grpc.StatusCode.UNAVAILABLE, no_channel(proposed.channel_id))
    peers = _peers(gateway, request, proposed)
    try:
        async with asyncio.timeout(remaining):
            return await _first_answer(gateway, request, peers)
    except TimeoutError:
        raise GatewayError(grpc.StatusCode.DEADLINE_EXCEEDED, "evaluate timeout expired") from None


def no_channel(channel_id: str) -> str:
    """Return the text for a channel that the gateway does not know."""
    return (
        f"failed to get config for channel [{channel_id}]: could not get last config for channel {channel_id}"
    )


def _check(request: gateway_pb2.EvaluateRequest) -> ProposedTransaction:
    signed = request.proposed_transaction
    if not signed.proposal_bytes:
        raise InvalidInputError("a signed proposal is required")
    proposed = parse_proposed(signed)
    spec, where = proposed.spec, f"channel id [{proposed.channel_id}]"
    if not proposed.channel_id:
        raise InvalidInputError("no channel id provided")
    if not spec.HasField("chaincode_spec"):
        raise InvalidInputError(f"no chaincode spec is provided, {where}")
    if not spec.chaincode_spec.HasField("chaincode_id"):
        raise InvalidInputError(f"no chaincode id is provided, {where}")
    if not proposed.chaincode:
        raise InvalidInputError(f"no chaincode name is provided, {where}")
    return proposed


def _peers(
    gateway: Gateway, request: gateway_pb2.EvaluateRequest, proposed: ProposedTransaction
) -> list[Member]:
    """Return the peers to try; transient data stays in the gateway's own organisation unless others are named."""
    own = gateway.own.msp_id
    present = gateway.members.with_chaincode(proposed.chaincode)
    protected = proposed.has_transient and not request.target_organizations
    targets = [own] if protected else list(request.target_organizations) or list(present)
    found = [present[organisation] for organisation in dict.fromkeys(targets) if organisation in present]
    if found:
        return sorted(found, key=lambda member: member.msp_id != own)
    message = (
        f"no peers available to evaluate chaincode {proposed.chaincode} in channel {proposed.channel_id}"
    )
    if protected:
        message = (
            "no endorsers found in the gateway's organization; retry specifying target organization(s) "
            f"to protect transient data: {message}"
        )
    raise GatewayError(grpc.StatusCode.FAILED_PRECONDITION, message)


async def _first_answer(
    gateway: Gateway, request: gateway_pb2.EvaluateRequest, peers: list[Member]
) -> gateway_pb2.EvaluateResponse:
    failed: list[Attempt] = []
    for peer in peers:
        attempt = await ask(gateway, peer, request.proposed_transaction)
        if attempt.response is not None:
            return gateway_pb2.EvaluateResponse(result=attempt.response.response)
        failed.append(attempt)
        if not attempt.retry:
            message = f"evaluate call to endorser returned error: {attempt.message}"
            raise GatewayError(attempt.code, message, [each.detail for each in failed])
    raise GatewayError(
        failed[-1].code,
        "failed to evaluate transaction, see attached details for more info",
        [each.detail for each in failed],
    )

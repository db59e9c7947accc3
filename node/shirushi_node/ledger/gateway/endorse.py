"""Endorse: collect the endorsements a transaction needs and build it.

Source: internal/pkg/gateway/endorse.go, endorsement.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_pb2, proposal_response_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.proposal import build_transaction
from shirushi_node.ledger.gateway.attempt import Attempt, ask
from shirushi_node.ledger.gateway.errors import GatewayError, error_detail
from shirushi_node.ledger.gateway.planning import MemberSet, PlanError
from shirushi_node.ledger.gateway.requests import ProposedTransaction, parse_proposed
from shirushi_node.ledger.gateway.server import Gateway


@dataclass(slots=True)
class _Collected:
    """The endorsements so far, all of one payload, and what went wrong with others."""

    payload: bytes = b""
    endorsements: dict[str, proposal_response_pb2.Endorsement] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    details: list[gateway_pb2.ErrorDetail] = field(default_factory=list)

    def add(self, attempt: Attempt) -> None:
        member, response = attempt.member, attempt.response
        if response is None:
            self.failed.add(member.msp_id)
            self.details.append(attempt.detail)
        elif self.endorsements and response.payload != self.payload:
            self.failed.add(member.msp_id)
            self.details.append(
                error_detail(member.peer_address, member.msp_id, "ProposalResponsePayloads do not match")
            )
        else:
            self.payload = response.payload
            self.endorsements[member.msp_id] = response.endorsement


async def endorse(
    gateway: Gateway, request: gateway_pb2.EndorseRequest, remaining: float | None
) -> gateway_pb2.EndorseResponse:
    """Return the unsigned transaction; `remaining` is the caller's time in seconds. Raises GatewayError.

    With organisations named, each of them must endorse. Otherwise the gateway's own peer goes first; what it touched
    says whose endorsements suffice, and the sets of members that do are tried one after the other.
    """
    signed = request.proposed_transaction
    if not signed.proposal_bytes:
        raise GatewayError(
            grpc.StatusCode.INVALID_ARGUMENT, "the proposed transaction must contain a signed proposal"
        )
    try:
        proposed = parse_proposed(signed)
    except InvalidInputError as error:
        raise GatewayError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
    collected = _Collected()
    stage = "endorsements"
    try:
        async with asyncio.timeout(remaining):
            if request.endorsing_organizations:
                layouts: Sequence[MemberSet] = [_named(gateway, request, proposed)]
            else:
                stage = "first endorsement"
                layouts = await _from_first(gateway, signed, proposed, collected)
                stage = "endorsements"
            layout = await _satisfy(gateway, signed, layouts, collected)
    except TimeoutError:
        raise GatewayError(
            grpc.StatusCode.DEADLINE_EXCEEDED, f"endorsement timeout expired while collecting {stage}"
        ) from None
    endorsements = [collected.endorsements[msp_id] for msp_id in sorted(layout)]
    transaction = build_transaction(gateway.checker.parse(signed), collected.payload, endorsements)
    return gateway_pb2.EndorseResponse(prepared_transaction=transaction)


def _named(gateway: Gateway, request: gateway_pb2.EndorseRequest, proposed: ProposedTransaction) -> MemberSet:
    try:
        if proposed.channel_id != gateway.channel.name:
            wanted = ", ".join(request.endorsing_organizations)
            raise PlanError(f"failed to find any endorsing peers for org(s): {wanted}")
        return gateway.planner.for_organisations(proposed.chaincode, request.endorsing_organizations)
    except PlanError as error:
        raise GatewayError(grpc.StatusCode.UNAVAILABLE, str(error)) from None


async def _from_first(
    gateway: Gateway,
    signed: proposal_pb2.SignedProposal,
    proposed: ProposedTransaction,
    collected: _Collected,
) -> list[MemberSet]:
    """Have one peer endorse, and return the sets of members that suffice for what the transaction touched."""
    default = proposal_response_pb2.ChaincodeInterest(
        chaincodes=[proposal_response_pb2.ChaincodeCall(name=proposed.chaincode)]
    )
    try:
        if proposed.channel_id != gateway.channel.name:
            raise PlanError(
                "no combination of peers can be derived which satisfy the endorsement policy: "
                f"No metadata was found for chaincode {proposed.chaincode} in channel {proposed.channel_id}"
            )
        first = gateway.members.with_chaincode(proposed.chaincode).get(gateway.own.msp_id)
        if first is None and proposed.has_transient:
            raise PlanError(
                "no endorsers found in the gateway's organization; retry specifying endorsing organization(s) "
                "to protect transient data"
            )
        if first is None:
            first = gateway.members[min(gateway.planner.layouts(default, None)[0])]
        attempt = await ask(gateway, first, signed)
        if attempt.response is None:
            raise GatewayError(
                grpc.StatusCode.ABORTED,
                "failed to endorse transaction, see attached details for more info",
                [attempt.detail],
            )
        collected.add(attempt)
        interest = attempt.response.interest
        return gateway.planner.layouts(interest if interest.chaincodes else default, first.msp_id)
    except PlanError as error:
        raise GatewayError(grpc.StatusCode.FAILED_PRECONDITION, str(error)) from None


async def _satisfy(
    gateway: Gateway,
    signed: proposal_pb2.SignedProposal,
    layouts: Sequence[MemberSet],
    collected: _Collected,
) -> MemberSet:
    """Ask whoever is missing of one set after the other, nobody twice; returns the set that is complete."""
    for layout in layouts:
        if layout & collected.failed:
            continue
        missing = sorted(layout - collected.endorsements.keys())
        asked = (ask(gateway, gateway.members[msp_id], signed) for msp_id in missing)
        for attempt in await asyncio.gather(*asked):
            collected.add(attempt)
        if layout <= collected.endorsements.keys():
            return layout
    raise GatewayError(
        grpc.StatusCode.ABORTED,
        "failed to collect enough transaction endorsements, see attached details for more info",
        collected.details,
    )

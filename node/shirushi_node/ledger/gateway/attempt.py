"""Asking one endorser, and what a gateway makes of its answer.

Source: internal/pkg/gateway/apiutils.go (responseStatus).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import proposal_pb2, proposal_response_pb2

from shirushi_node.ledger.gateway.errors import error_detail
from shirushi_node.ledger.gateway.server import Gateway
from shirushi_node.ledger.members import Member
from shirushi_node.ledger.proposal_filters import ProposalFilteredError
from shirushi_node.ledger.proposals import ProposalRefusedError


@dataclass(frozen=True, slots=True)
class Attempt:
    """One endorser's answer: a response, or why there is none and whether another peer may do better."""

    member: Member
    response: proposal_response_pb2.ProposalResponse | None
    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = ""
    retry: bool = False

    @property
    def detail(self) -> gateway_pb2.ErrorDetail:
        """What the endorser said, as a detail of an error."""
        return error_detail(self.member.peer_address, self.member.msp_id, self.message)


async def ask(gateway: Gateway, member: Member, signed: proposal_pb2.SignedProposal) -> Attempt:
    """Have a member's endorser process a proposal, within the endorsement timeout.

    An error of another member's endorser has lost its response on the way, so Fabric's gateway cannot tell it from a
    peer that is not there; its text is gRPC's.
    """
    if not member.running:
        reason = f"Unavailable desc = connection error: the peer at {member.peer_address} is stopped"
        return _unavailable(member, reason)
    try:
        async with asyncio.timeout(gateway.limits.endorsement_timeout):
            response = await member.endorser.process_proposal(signed)
    except TimeoutError:
        return _unavailable(member, "DeadlineExceeded desc = context deadline exceeded")
    except (ProposalFilteredError, ProposalRefusedError) as error:
        if member is not gateway.own:
            return _unavailable(member, f"Unknown desc = {error}")
        if isinstance(error, ProposalFilteredError):
            return Attempt(member, None, grpc.StatusCode.UNAVAILABLE, str(error), retry=True)
        return Attempt(member, None, grpc.StatusCode.FAILED_PRECONDITION, str(error))
    return _judge(member, response)


def _judge(member: Member, response: proposal_response_pb2.ProposalResponse) -> Attempt:
    answer = response.response
    if 200 <= answer.status < 400:
        return Attempt(member, response)
    if answer.status == 500 and not response.payload:
        return Attempt(member, None, grpc.StatusCode.ABORTED, answer.message, retry=True)
    message = f"chaincode response {answer.status}, {answer.message}"
    return Attempt(member, None, grpc.StatusCode.UNKNOWN, message)


def _unavailable(member: Member, reason: str) -> Attempt:
    message = f"rpc error: code = {reason}"
    return Attempt(member, None, grpc.StatusCode.UNAVAILABLE, message, retry=True)

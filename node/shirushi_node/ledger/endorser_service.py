"""The gRPC service protos.Endorser of one member."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc
from fabric_protos.peer import proposal_pb2, proposal_response_pb2

from shirushi_node.ledger.endorser import Endorser
from shirushi_node.ledger.limits import ConcurrencyLimit, TooManyRequestsError
from shirushi_node.ledger.proposal_filters import ProposalFilteredError
from shirushi_node.ledger.proposals import ProposalRefusedError

SERVICE = "protos.Endorser"

_Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]


def endorser_handler(endorser: Endorser, limit: int) -> grpc.GenericRpcHandler:
    """Return the service for a gRPC server; what is wrong with a proposal itself is a gRPC error, as in Fabric."""
    slots = ConcurrencyLimit(f"/{SERVICE}", limit)

    async def process_proposal(
        signed: proposal_pb2.SignedProposal, context: _Context
    ) -> proposal_response_pb2.ProposalResponse:
        try:
            with slots.slot():
                return await endorser.process_proposal(signed)
        except (ProposalFilteredError, ProposalRefusedError, TooManyRequestsError) as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise AssertionError("abort returns never") from None

    method = grpc.unary_unary_rpc_method_handler(
        process_proposal, proposal_pb2.SignedProposal.FromString, _serialize
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"ProcessProposal": method})


def _serialize(message: proposal_response_pb2.ProposalResponse) -> bytes:
    return bytes(message.SerializeToString())

"""A client that speaks to one member's endpoints in plain messages: nothing between a test and the wire."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2, gateway_pb2_grpc
from fabric_protos.orderer import ab_pb2, ab_pb2_grpc
from fabric_protos.peer import peer_pb2_grpc, proposal_pb2, proposal_response_pb2, transaction_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from tests.support.transactions import sign_envelope, signed_proposal

from shirushi_client.gateway.error_details import DETAILS_TRAILER, parse_details
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.proposal import parse_signed_proposal

SECONDS = 20


@dataclass(frozen=True)
class Refusal:
    """How a call failed: gRPC status, text, and what each endpoint said (MSP id, message)."""

    code: grpc.StatusCode
    text: str
    details: tuple[tuple[str, str], ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Endorsed:
    """A transaction as the gateway prepared it."""

    tx_id: str
    envelope: common_pb2.Envelope

    @property
    def action(self) -> transaction_pb2.ChaincodeActionPayload:
        payload = common_pb2.Payload.FromString(self.envelope.payload)
        transaction = transaction_pb2.Transaction.FromString(payload.data)
        return transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)

    @property
    def endorsers(self) -> list[bytes]:
        return [endorsement.endorser for endorsement in self.action.action.endorsements]

    @property
    def result(self) -> bytes:
        response = proposal_response_pb2.ProposalResponsePayload.FromString(
            self.action.action.proposal_response_payload
        )
        return bytes(proposal_pb2.ChaincodeAction.FromString(response.extension).response.payload)


async def refusal(call: Any) -> Refusal:
    """Await a call that must fail and return how it did."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        trailer = dict(error.trailing_metadata() or ()).get(DETAILS_TRAILER)
        details = parse_details(trailer) if isinstance(trailer, bytes) else ()
        return Refusal(
            error.code(),
            error.details() or "",
            tuple((detail.msp_id, detail.message) for detail in details),
            tuple(detail.address for detail in details),
        )
    raise AssertionError(f"expected a refusal, got {answer}")


class RawClient:
    """One identity at one member's peer and orderer."""

    def __init__(
        self, channel_id: str, user: SigningIdentity, peer: grpc.aio.Channel, orderer: grpc.aio.Channel
    ) -> None:
        self.channel_id = channel_id
        self.user = user
        self.peer = peer
        self.gateway = gateway_pb2_grpc.GatewayStub(peer)
        self.endorser = peer_pb2_grpc.EndorserStub(peer)
        self.orderer = ab_pb2_grpc.AtomicBroadcastStub(orderer)

    def proposal(
        self,
        *args: str | bytes,
        chaincode: str = "basic",
        transient: dict[str, bytes] | None = None,
        channel_id: str | None = None,
        signer: SigningIdentity | None = None,
        at: float | None = None,
    ) -> proposal_pb2.SignedProposal:
        """Return a proposal of this identity, signed by it or by another's key; `at` is the client's clock."""
        signed = signed_proposal(
            self.user,
            channel_id=self.channel_id if channel_id is None else channel_id,
            chaincode=chaincode,
            args=[each.encode() if isinstance(each, str) else each for each in args],
            transient=transient,
            seconds=int(time.time() if at is None else at),
        )
        if signer is not None:
            signed.signature = signer.sign(signed.proposal_bytes)
        return signed

    async def evaluate(self, *args: str | bytes, targets: Sequence[str] = (), **options: Any) -> Any:
        """Evaluate and return the response."""
        request = gateway_pb2.EvaluateRequest(
            channel_id=self.channel_id,
            proposed_transaction=self.proposal(*args, **options),
            target_organizations=targets,
        )
        return (await self.gateway.Evaluate(request, timeout=SECONDS)).result

    async def endorse(
        self, *args: str | bytes, organisations: Sequence[str] = (), **options: Any
    ) -> Endorsed:
        """Have a transaction endorsed."""
        return await self.endorse_signed(self.proposal(*args, **options), organisations)

    async def endorse_signed(
        self, signed: proposal_pb2.SignedProposal, organisations: Sequence[str] = ()
    ) -> Endorsed:
        """Have a signed proposal endorsed."""
        request = gateway_pb2.EndorseRequest(
            channel_id=self.channel_id, proposed_transaction=signed, endorsing_organizations=organisations
        )
        response = await self.gateway.Endorse(request, timeout=SECONDS)
        return Endorsed(parse_signed_proposal(signed).tx_id, response.prepared_transaction)

    async def submit(self, endorsed: Endorsed, signer: SigningIdentity | None = None) -> None:
        """Sign and submit a transaction."""
        request = gateway_pb2.SubmitRequest(
            transaction_id=endorsed.tx_id,
            channel_id=self.channel_id,
            prepared_transaction=sign_envelope(endorsed.envelope, signer or self.user),
        )
        await self.gateway.Submit(request, timeout=SECONDS)

    async def commit_status(self, tx_id: str, *, timeout: float = SECONDS) -> Any:
        """Wait for a transaction's status."""
        request = gateway_pb2.CommitStatusRequest(
            transaction_id=tx_id, channel_id=self.channel_id, identity=self.user.identity.serialized
        )
        return await self.gateway.CommitStatus(self.signed_status(request), timeout=timeout)

    def signed_status(
        self, request: gateway_pb2.CommitStatusRequest
    ) -> gateway_pb2.SignedCommitStatusRequest:
        """Sign a commit status request."""
        data = request.SerializeToString()
        return gateway_pb2.SignedCommitStatusRequest(request=data, signature=self.user.sign(data))

    async def transact(self, *args: str | bytes, **options: Any) -> Any:
        """Endorse, submit and wait; returns the status. `tx_id` of it is in no message, so use endorse() for that."""
        endorsed = await self.endorse(*args, **options)
        await self.submit(endorsed)
        return await self.commit_status(endorsed.tx_id)

    def chaincode_events(
        self, chaincode: str = "basic", *, start: int | None = None, after: str = "", **fields: Any
    ) -> Any:
        """Open a stream of chaincode events."""
        request = gateway_pb2.ChaincodeEventsRequest(
            channel_id=self.channel_id,
            chaincode_id=chaincode,
            identity=self.user.identity.serialized,
            after_transaction_id=after,
            **fields,
        )
        if start is not None:
            request.start_position.specified.number = start
        data = request.SerializeToString()
        signed = gateway_pb2.SignedChaincodeEventsRequest(request=data, signature=self.user.sign(data))
        return self.gateway.ChaincodeEvents(signed, timeout=SECONDS)

    def seek(
        self,
        start: Any,
        stop: Any,
        *,
        wait: bool = True,
        at: float | None = None,
        headers_only: bool = False,
        channel_id: str | None = None,
        signer: SigningIdentity | None = None,
    ) -> common_pb2.Envelope:
        """Return a signed seek envelope; a position is a block number, "oldest", "newest" or "next_commit"."""
        info = ab_pb2.SeekInfo(
            start=_position(start),
            stop=_position(stop),
            behavior=ab_pb2.SeekInfo.BLOCK_UNTIL_READY if wait else ab_pb2.SeekInfo.FAIL_IF_NOT_READY,
            content_type=ab_pb2.SeekInfo.HEADER_WITH_SIG if headers_only else ab_pb2.SeekInfo.BLOCK,
        )
        header = common_pb2.ChannelHeader(
            type=common_pb2.DELIVER_SEEK_INFO,
            channel_id=self.channel_id if channel_id is None else channel_id,
            timestamp=Timestamp(seconds=int(time.time() if at is None else at)),
        )
        signature_header = common_pb2.SignatureHeader(creator=self.user.identity.serialized, nonce=b"n" * 24)
        payload = common_pb2.Payload(
            header=common_pb2.Header(
                channel_header=header.SerializeToString(),
                signature_header=signature_header.SerializeToString(),
            ),
            data=info.SerializeToString(),
        )
        envelope = common_pb2.Envelope(payload=payload.SerializeToString())
        return sign_envelope(envelope, signer or self.user)


def _position(position: Any) -> ab_pb2.SeekPosition | None:
    if position is None:
        return None
    message = ab_pb2.SeekPosition()
    if isinstance(position, int):
        message.specified.number = position
    else:
        getattr(message, position).SetInParent()
    return message

"""A peer's gateway and deliver services on one small ledger in memory, with scripted answers.

It speaks the real protocols and checks every signature with nothing but the caller's certificate, so that a client
that signs the wrong bytes, or not at all, is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2, gateway_pb2_grpc
from fabric_protos.msp import identities_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    events_pb2,
    events_pb2_grpc,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)

ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}


@dataclass
class RefusalError(Exception):
    """What a scripted answer raises to fail a call as a gateway does."""

    code: grpc.StatusCode
    message: str
    details: list[tuple[str, str, str]] = field(default_factory=list)  # address, MSP id, message


@dataclass
class Invocation:
    """A proposal as the peer understood it."""

    channel: str
    chaincode: str
    args: list[bytes]
    transient: dict[str, bytes]
    organizations: list[str]
    transaction_id: str
    metadata: dict[str, str]
    time_remaining: float | None


@dataclass
class LedgerEntry:
    """A transaction in a block: its id, chaincode, event if any, and validation code."""

    transaction_id: str
    chaincode: str = "basic"
    event: tuple[str, bytes] | None = None
    code: int = 0


Answer = Callable[[Invocation], bytes | Awaitable[bytes]]


class StandInPeer(gateway_pb2_grpc.GatewayServicer, events_pb2_grpc.DeliverServicer):
    """Default answers echo the arguments; tests replace the callables to script others."""

    def __init__(self) -> None:
        self.evaluated: list[Invocation] = []
        self.endorsed: list[Invocation] = []
        self.submitted: list[gateway_pb2.SubmitRequest] = []
        self.status_requests: list[gateway_pb2.CommitStatusRequest] = []
        self.event_requests: list[Any] = []
        self.seeks: list[tuple[common_pb2.ChannelHeader, ab_pb2.SeekInfo]] = []
        self.chaincode: Answer = lambda invocation: b",".join(invocation.args)
        self.event: Callable[[Invocation], tuple[str, bytes] | None] = lambda invocation: None
        self.validation_code: Callable[[str], int] = lambda transaction_id: 0
        self.before_submit: Callable[[], Awaitable[None]] | None = None
        self.after_submit: Callable[[], Awaitable[None]] | None = None
        self.before_status: Callable[[], Awaitable[None]] | None = None
        self.before_events: Callable[[], Awaitable[None]] | None = None
        self.after_replay: Callable[[], Awaitable[None]] | None = None
        self.tamper: Callable[[common_pb2.Envelope], None] | None = None
        self.deliver_status: int | None = None
        self.hash: Callable[[bytes], bytes] = sha256
        self.listeners = 0
        self.blocks: list[list[LedgerEntry]] = [[LedgerEntry("genesis", chaincode="")]]
        self._invocations: dict[str, Invocation] = {}
        self._grown = asyncio.Condition()
        self._listening = asyncio.Condition()
        self._server = grpc.aio.server()
        gateway_pb2_grpc.add_GatewayServicer_to_server(self, self._server)
        events_pb2_grpc.add_DeliverServicer_to_server(self, self._server)
        self.address = ""

    async def start(self) -> None:
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)

    async def commit(self, *entries: LedgerEntry) -> int:
        """Append a block and return its number."""
        async with self._grown:
            self.blocks.append(list(entries))
            self._grown.notify_all()
            return len(self.blocks) - 1

    async def wait_for_listeners(self, count: int) -> None:
        """Wait until this many streams of events are open."""
        async with asyncio.timeout(10), self._listening:
            await self._listening.wait_for(lambda: self.listeners == count)

    async def Evaluate(self, request, context):  # noqa: N802
        try:
            invocation = self._invocation(request, request.target_organizations, context)
            self.evaluated.append(invocation)
            result = await _maybe(self.chaincode(invocation))
        except RefusalError as refusal:
            await _abort(context, refusal)
        return gateway_pb2.EvaluateResponse(result=proposal_response_pb2.Response(status=200, payload=result))

    async def Endorse(self, request, context):  # noqa: N802
        try:
            invocation = self._invocation(request, request.endorsing_organizations, context)
            self.endorsed.append(invocation)
            result = await _maybe(self.chaincode(invocation))
        except RefusalError as refusal:
            await _abort(context, refusal)
        self._invocations[request.transaction_id] = invocation
        envelope = _prepare(request.proposed_transaction.proposal_bytes, result)
        if self.tamper:
            self.tamper(envelope)
        return gateway_pb2.EndorseResponse(prepared_transaction=envelope)

    async def Submit(self, request, context):  # noqa: N802
        try:
            if self.before_submit:
                await self.before_submit()
            self._check_envelope(request.prepared_transaction)
        except RefusalError as refusal:
            await _abort(context, refusal)
        self.submitted.append(request)
        invocation = self._invocations[request.transaction_id]
        code = self.validation_code(request.transaction_id)
        event = self.event(invocation) if code == 0 else None
        await self.commit(LedgerEntry(request.transaction_id, invocation.chaincode, event, code))
        try:
            if self.after_submit:
                await self.after_submit()
        except RefusalError as refusal:
            await _abort(context, refusal)
        return gateway_pb2.SubmitResponse()

    async def CommitStatus(self, request, context):  # noqa: N802
        asked = gateway_pb2.CommitStatusRequest.FromString(request.request)
        try:
            self._check(asked.identity, request.request, request.signature)
            self.status_requests.append(asked)
            if self.before_status:
                await self.before_status()
        except RefusalError as refusal:
            await _abort(context, refusal)
        for number, block in enumerate(self.blocks):
            for entry in block:
                if entry.transaction_id == asked.transaction_id:
                    return gateway_pb2.CommitStatusResponse(result=entry.code, block_number=number)
        await _abort(context, RefusalError(grpc.StatusCode.NOT_FOUND, "no such transaction"))
        return None

    async def ChaincodeEvents(self, request, context):  # noqa: N802
        asked = gateway_pb2.ChaincodeEventsRequest.FromString(request.request)
        try:
            self._check(asked.identity, request.request, request.signature)
            self.event_requests.append(asked)
            if self.before_events:
                await self.before_events()
        except RefusalError as refusal:
            await _abort(context, refusal)
        skipping = asked.after_transaction_id
        async for number in self._block_numbers(asked.start_position, context):
            events = []
            for entry in self.blocks[number]:
                if skipping:
                    skipping = "" if entry.transaction_id == skipping else skipping
                elif entry.event and entry.code == 0 and entry.chaincode == asked.chaincode_id:
                    events.append(_event(entry))
            skipping = ""
            if events:
                yield gateway_pb2.ChaincodeEventsResponse(events=events, block_number=number)

    async def Deliver(self, requests, context):  # noqa: N802
        async for number, _ in self._delivered(requests, context):
            yield events_pb2.DeliverResponse(block=self._block(number)) if number >= 0 else self._status()

    async def DeliverFiltered(self, requests, context):  # noqa: N802
        async for number, channel in self._delivered(requests, context):
            if number < 0:
                yield self._status()
                continue
            filtered = events_pb2.FilteredBlock(channel_id=channel, number=number)
            for entry in self.blocks[number]:
                filtered.filtered_transactions.add(txid=entry.transaction_id, tx_validation_code=entry.code)
            yield events_pb2.DeliverResponse(filtered_block=filtered)

    async def DeliverWithPrivateData(self, requests, context):  # noqa: N802
        async for number, _ in self._delivered(requests, context):
            if number < 0:
                yield self._status()
                continue
            private = events_pb2.BlockAndPrivateData(block=self._block(number))
            private.private_data_map[0].ns_pvt_rwset.add(namespace="secrets")
            yield events_pb2.DeliverResponse(block_and_private_data=private)

    async def _delivered(self, requests, context):
        envelope = await anext(aiter(requests))
        try:
            self._check_envelope(envelope)
        except RefusalError as refusal:
            await _abort(context, refusal)
        payload = common_pb2.Payload.FromString(envelope.payload)
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        seek = ab_pb2.SeekInfo.FromString(payload.data)
        self.seeks.append((header, seek))
        if self.deliver_status is not None:
            yield -1, header.channel_id
            return
        async for number in self._block_numbers(seek.start, context):
            yield number, header.channel_id

    async def _block_numbers(self, start, context):
        number = start.specified.number if start.HasField("specified") else len(self.blocks)
        await self._count_listener(1)
        try:
            while True:
                while number < len(self.blocks):
                    yield number
                    number += 1
                if self.after_replay:
                    try:
                        await self.after_replay()
                    except RefusalError as refusal:
                        await _abort(context, refusal)
                    return
                async with self._grown:
                    await self._grown.wait_for(lambda missing=number: missing < len(self.blocks))
        finally:
            await self._count_listener(-1)

    async def _count_listener(self, change: int) -> None:
        async with self._listening:
            self.listeners += change
            self._listening.notify_all()

    def _status(self):
        return events_pb2.DeliverResponse(status=self.deliver_status)

    def _block(self, number: int):
        block = common_pb2.Block()
        block.header.number = number
        block.data.data.extend(entry.transaction_id.encode() for entry in self.blocks[number])
        return block

    def _invocation(self, request, organizations, context) -> Invocation:
        signed = request.proposed_transaction
        proposal = proposal_pb2.Proposal.FromString(signed.proposal_bytes)
        header = common_pb2.Header.FromString(proposal.header)
        channel_header = common_pb2.ChannelHeader.FromString(header.channel_header)
        signature_header = common_pb2.SignatureHeader.FromString(header.signature_header)
        self._check(signature_header.creator, signed.proposal_bytes, signed.signature)
        expected_id = sha256(signature_header.nonce + signature_header.creator).hex()
        if not (request.transaction_id == channel_header.tx_id == expected_id):
            raise RefusalError(
                grpc.StatusCode.INVALID_ARGUMENT, "transaction id does not match nonce and creator"
            )
        if request.channel_id != channel_header.channel_id:
            raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, "channel does not match the proposal's")
        payload = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
        spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(payload.input).chaincode_spec
        return Invocation(
            channel=channel_header.channel_id,
            chaincode=spec.chaincode_id.name,
            args=list(spec.input.args),
            transient=dict(payload.TransientMap),
            organizations=list(organizations),
            transaction_id=channel_header.tx_id,
            metadata=dict(context.invocation_metadata()),
            time_remaining=context.time_remaining(),
        )

    def _check_envelope(self, envelope) -> None:
        header = common_pb2.Payload.FromString(envelope.payload).header
        creator = common_pb2.SignatureHeader.FromString(header.signature_header).creator
        self._check(creator, envelope.payload, envelope.signature)

    def _check(self, creator: bytes, message: bytes, signature: bytes) -> None:
        identity = identities_pb2.SerializedIdentity.FromString(creator)
        key = x509.load_pem_x509_certificate(identity.id_bytes).public_key()
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                _, s = utils.decode_dss_signature(signature)
                assert s <= ORDERS[key.curve.name] // 2, "high S"
                digest = self.hash(message)
                algorithm = {32: hashes.SHA256(), 48: hashes.SHA384()}[len(digest)]
                key.verify(signature, digest, ec.ECDSA(utils.Prehashed(algorithm)))
            else:
                key.verify(signature, self.hash(message))
        except (InvalidSignature, ValueError, AssertionError) as error:
            raise RefusalError(grpc.StatusCode.PERMISSION_DENIED, f"bad signature: {error}") from None


def sha256(message: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    return digest.finalize()


async def _maybe(value):
    return await value if asyncio.iscoroutine(value) else value


async def _abort(context, refusal: RefusalError) -> None:
    trailer = status_details(refusal.code.value[0], refusal.message, refusal.details)
    await context.abort(
        refusal.code,
        refusal.message,
        trailing_metadata=(("grpc-status-details-bin", trailer),) if refusal.details else (),
    )


def _event(entry: LedgerEntry):
    name, payload = entry.event
    return chaincode_event_pb2.ChaincodeEvent(
        chaincode_id=entry.chaincode, tx_id=entry.transaction_id, event_name=name, payload=payload
    )


def _prepare(proposal_bytes: bytes, result: bytes):
    proposal = proposal_pb2.Proposal.FromString(proposal_bytes)
    header = common_pb2.Header.FromString(proposal.header)
    invocation = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
    committed = proposal_pb2.ChaincodeProposalPayload(input=invocation.input).SerializeToString()
    outcome = proposal_pb2.ChaincodeAction(
        response=proposal_response_pb2.Response(status=200, payload=result)
    )
    endorsed = proposal_response_pb2.ProposalResponsePayload(
        proposal_hash=sha256(header.channel_header + header.signature_header + committed),
        extension=outcome.SerializeToString(),
    )
    action = transaction_pb2.ChaincodeActionPayload(chaincode_proposal_payload=committed)
    action.action.proposal_response_payload = endorsed.SerializeToString()
    action.action.endorsements.add(endorser=b"a peer", signature=b"of its own")
    transaction = transaction_pb2.Transaction()
    transaction.actions.add(header=header.signature_header, payload=action.SerializeToString())
    payload = common_pb2.Payload(header=header, data=transaction.SerializeToString())
    return common_pb2.Envelope(payload=payload.SerializeToString())


def status_details(code: int, message: str, details: list[tuple[str, str, str]]) -> bytes:
    """google.rpc.Status with gateway.ErrorDetail entries, spelled out by hand from the .proto files."""
    any_url = _field(1, b"type.googleapis.com/gateway.ErrorDetail")
    encoded = b"".join(
        _field(3, any_url + _field(2, b"".join(_field(i, text.encode()) for i, text in enumerate(detail, 1))))
        for detail in details
    )
    return b"\x08" + _varint(code) + _field(2, message.encode()) + encoded


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])

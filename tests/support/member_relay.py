"""Somebody in a member's place: has its TLS certificate, passes calls on to its peer, and answers as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import grpc
from fabric_protos.common import common_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.peer import chaincode_pb2, proposal_pb2, proposal_response_pb2
from tests.support.live_consortium import LiveConsortium

from shirushi_core.proofs.canonical import Json, decode, encode
from shirushi_network.member_keys import load_tls

FORWARD_SECONDS = 20.0
_METHODS = ("Evaluate", "Endorse", "Submit", "CommitStatus")


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Call:
    """One call that came in; `forward` makes it at the member's real peer and returns the answer."""

    method: str
    request: bytes
    forward: Callable[[], bytes]
    relay: MemberRelay

    @property
    def function(self) -> str:
        """The contract's function that an Evaluate or Endorse is about."""
        message = (
            gateway_pb2.EvaluateRequest if self.method == "Evaluate" else gateway_pb2.EndorseRequest
        ).FromString(self.request)
        proposal = proposal_pb2.Proposal.FromString(message.proposed_transaction.proposal_bytes)
        payload = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
        spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(payload.input).chaincode_spec
        return str(spec.input.args[0].decode())

    @property
    def transaction_id(self) -> str:
        """The transaction that a Submit is about."""
        envelope = gateway_pb2.SubmitRequest.FromString(self.request).prepared_transaction
        header = common_pb2.Payload.FromString(envelope.payload).header
        return str(common_pb2.ChannelHeader.FromString(header.channel_header).tx_id)


Behaviour = Callable[[Call], bytes]


class MemberRelay:
    """One member's endpoint, at an address of its own, in the hands of somebody else."""

    def __init__(self, live: LiveConsortium, member_id: str, behaviour: Behaviour) -> None:
        member = live.member(member_id)
        home = live.layout.members / member_id
        certificate, key, _ = load_tls(home / "peers" / "peer0" / "tls")
        root = grpc.ssl_channel_credentials((home / "tlsca" / "cert.pem").read_bytes())
        self.member_id = member_id
        self.ended = threading.Event()
        self._behaviour = behaviour
        self._channel = grpc.secure_channel(f"{member.peer.address}", root)
        self._server = grpc.server(ThreadPoolExecutor(16, f"relay-{member_id}"))
        self._server.add_generic_rpc_handlers((_Handler(self),))
        port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
        self.address = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        self._server.stop(None).wait(10)
        self._channel.close()

    def cut(self) -> None:
        """End all connections at once, without an answer to what is under way, and take no new ones."""
        self.ended.set()
        self._server.stop(None)

    def answer(self, method: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        def forward() -> bytes:
            call = self._channel.unary_unary(f"/gateway.Gateway/{method}")
            return bytes(call(request, timeout=FORWARD_SECONDS))

        try:
            return self._behaviour(Call(method, request, forward, self))
        except RefusalError as refusal:
            context.abort(refusal.code, refusal.message)
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata() or ())
            context.abort(error.code(), error.details())
        raise AssertionError("abort returns never")


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, relay: MemberRelay) -> None:
        self._relay = relay

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        method = details.method.rpartition("/")[2]
        if method not in _METHODS:
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._relay.answer(method, request, context)
        )


def honest(call: Call) -> bytes:
    """Pass everything on."""
    return call.forward()


def altering(function: str, alter: Callable[[Any], Json]) -> Behaviour:
    """Change what the member's peer answers to one query."""

    def behave(call: Call) -> bytes:
        answer = call.forward()
        if call.method != "Evaluate" or call.function != function:
            return answer
        message = gateway_pb2.EvaluateResponse.FromString(answer)
        message.result.payload = encode(alter(decode(message.result.payload)))
        return bytes(message.SerializeToString())

    return behave


def denying(function: str, error: str) -> Behaviour:
    """Answer one query with an error of the contract."""

    def behave(call: Call) -> bytes:
        if call.method == "Evaluate" and call.function == function:
            raise RefusalError(
                grpc.StatusCode.UNKNOWN,
                f"evaluate call to endorser returned error: chaincode response 404, {error}",
            )
        return call.forward()

    return behave


def answering(payload: bytes) -> Behaviour:
    """Answer every query with the same bytes."""
    answer = gateway_pb2.EvaluateResponse(result=proposal_response_pb2.Response(status=200, payload=payload))
    return lambda call: bytes(answer.SerializeToString())


def answering_noise(call: Call) -> bytes:
    """Answer with bytes that are no message of the protocol."""
    return b"\xff\xfe no message \x00" * 7


def silent(call: Call) -> bytes:
    """Take every call, and answer none."""
    call.relay.ended.wait()
    raise RefusalError(grpc.StatusCode.UNAVAILABLE, "it is over")


def losing_reply_to(method: str) -> Behaviour:
    """Pass a call on, and break off when its answer is there."""

    def behave(call: Call) -> bytes:
        answer = call.forward()
        if call.method == method:
            call.relay.cut()
        return answer

    return behave

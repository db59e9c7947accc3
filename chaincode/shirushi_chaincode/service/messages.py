"""The messages between a chaincode and its peer: how they are read and made.

Source: fabric-protos peer/chaincode_shim.proto; the limit is internal/pkg/comm/config.go's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    chaincode_shim_pb2,
    proposal_response_pb2,
)
from google.protobuf.message import DecodeError, Message

from shirushi_chaincode.service.errors import StreamError
from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.chaincode import Response

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""Messages that peers take and send, as in Fabric."""

DEFAULT_BATCH = 100
"""Records in a batch for a peer that offers batches but no size, as in Fabric's shim."""

ChaincodeMessage = chaincode_shim_pb2.ChaincodeMessage

KEEPALIVE = bytes(ChaincodeMessage(type=ChaincodeMessage.KEEPALIVE).SerializeToString())

_HEADROOM = 64 * 1024


@dataclass(frozen=True, slots=True)
class Offer:
    """What a peer said it can do: records of a write batch and keys of one read, 0 where it does neither."""

    write_batch: int = 0
    keys_at_once: int = 0


def parse_message(data: bytes) -> Any:
    """Parse a message from the peer (generated classes carry no types); raises StreamError."""
    try:
        return ChaincodeMessage.FromString(data)
    except DecodeError:
        raise StreamError("expected a ChaincodeMessage, found bytes that are none") from None


def parse_payload(kind: type[Message], payload: bytes) -> Any:
    """Parse what the peer put into a message; raises StreamError."""
    try:
        return kind.FromString(payload)
    except DecodeError:
        raise StreamError(
            f"expected a {kind.DESCRIPTOR.name} in the peer's message, found bytes that are none"
        ) from None


def parse_offer(payload: bytes) -> Offer:
    """Read READY's payload (ChaincodeAdditionalParams), empty from peers before Fabric 3.1; raises StreamError."""
    params = parse_payload(chaincode_pb2.ChaincodeAdditionalParams, payload)
    return Offer(
        write_batch=(params.max_size_write_batch or DEFAULT_BATCH) if params.use_write_batch else 0,
        keys_at_once=(params.max_size_get_multiple_keys or DEFAULT_BATCH)
        if params.use_get_multiple_keys
        else 0,
    )


def register(package_id: str) -> bytes:
    """Return REGISTER: the chaincode's package id."""
    payload = chaincode_pb2.ChaincodeID(name=package_id).SerializeToString()
    return bytes(ChaincodeMessage(type=ChaincodeMessage.REGISTER, payload=payload).SerializeToString())


def call(kind: int, payload: bytes, channel_id: str, tx_id: str) -> bytes:
    """Return a call on the peer; raises InvalidInputError if it is more than the peer takes."""
    if len(payload) > MAX_MESSAGE_BYTES - _HEADROOM:
        raise InvalidInputError(
            f"{kind_name(kind)} of {len(payload)} bytes is more than a peer takes ({MAX_MESSAGE_BYTES} bytes)"
        )
    message = ChaincodeMessage(type=kind, payload=payload, txid=tx_id, channel_id=channel_id)
    return bytes(message.SerializeToString())


def completed(response: Response, event: tuple[str, bytes] | None, channel_id: str, tx_id: str) -> bytes:
    """Return COMPLETED: the chaincode's response and event.

    Raises TypeError or ValueError for a response or event whose fields are not what they should be, InvalidInputError
    if it is more than the peer takes.
    """
    payload = proposal_response_pb2.Response(
        status=response.status, message=response.message, payload=response.payload
    ).SerializeToString()
    message = ChaincodeMessage(
        type=ChaincodeMessage.COMPLETED, payload=payload, txid=tx_id, channel_id=channel_id
    )
    if event is not None:
        name, content = event
        message.chaincode_event.CopyFrom(chaincode_event_pb2.ChaincodeEvent(event_name=name, payload=content))
    data = bytes(message.SerializeToString())
    if len(data) > MAX_MESSAGE_BYTES:
        raise InvalidInputError(
            f"the chaincode's answer of {len(data)} bytes is more than a peer takes ({MAX_MESSAGE_BYTES} bytes)"
        )
    return data


def error(text: str, channel_id: str, tx_id: str) -> bytes:
    """Return ERROR: why the chaincode ends the stream."""
    message = ChaincodeMessage(
        type=ChaincodeMessage.ERROR, payload=text.encode(), txid=tx_id, channel_id=channel_id
    )
    return bytes(message.SerializeToString())


def nested_response(payload: bytes) -> Response:
    """Read what another chaincode answered; raises StreamError.

    One that failed (ERROR) is a response too, as in Fabric's shim.
    """
    message = parse_payload(ChaincodeMessage, payload)
    if message.type != ChaincodeMessage.COMPLETED:
        return failure(message.payload.decode("utf-8", "replace"))
    response = parse_payload(proposal_response_pb2.Response, message.payload)
    return Response(response.status, response.message, response.payload)


def failure(text: str, status: int = 500) -> Response:
    """Return an error response."""
    return Response(status, text)


def kind_name(kind: int) -> str:
    """Return the name of a type of message, or its number if it has none."""
    return str(ChaincodeMessage.Type.Name(kind)) if kind in ChaincodeMessage.Type.values() else str(kind)

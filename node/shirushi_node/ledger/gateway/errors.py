"""Errors as the gateway answers them: a gRPC status, and details of what each endpoint said.

The details travel in the trailer `grpc-status-details-bin` as google.rpc.Status { code = 1, message = 2, details = 3 },
each detail a gateway.ErrorDetail in an Any. Source: internal/pkg/gateway/apiutils.go, google/rpc/status.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import grpc
from fabric_protos.gateway import gateway_pb2
from google.protobuf.any_pb2 import Any

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.state_updates import varint

DETAILS_TRAILER = "grpc-status-details-bin"


class GatewayError(ShirushiError):
    """A call that the gateway refuses or that failed; `code` is the gRPC status."""

    def __init__(
        self, code: grpc.StatusCode, message: str, details: Sequence[gateway_pb2.ErrorDetail] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = tuple(details)


def error_detail(address: str, msp_id: str, message: str) -> gateway_pb2.ErrorDetail:
    """Return what one endpoint said."""
    return gateway_pb2.ErrorDetail(address=address, msp_id=msp_id, message=message)


def status_bytes(error: GatewayError) -> bytes:
    """Return the serialized google.rpc.Status of an error."""
    number: int = error.code.value[0]
    encoded = b"\x08" + varint(number) + _field(2, str(error).encode())
    for detail in error.details:
        packed = Any()
        packed.Pack(detail)
        encoded += _field(3, packed.SerializeToString())
    return encoded


async def abort(context: grpc.aio.ServicerContext[object, object], error: GatewayError) -> NoReturn:
    """End a call with an error."""
    trailer = ((DETAILS_TRAILER, status_bytes(error)),) if error.details else ()
    await context.abort(error.code, str(error), trailer)
    raise AssertionError("abort returns never")


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + varint(len(data)) + data

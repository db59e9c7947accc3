"""The details that a gateway attaches to an error: google.rpc.Status with gateway.ErrorDetail entries.

The status travels in the trailer `grpc-status-details-bin`. Its message type is public, but no dependency of ours
ships it, so its three fields are declared here, in a pool of their own that cannot clash with another copy.
Source: google/rpc/status.proto, gateway/gateway.proto, internal/pkg/gateway/apiutils.go.
"""

from __future__ import annotations

from typing import Any

from fabric_protos.gateway import gateway_pb2
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from shirushi_client.gateway.errors import ErrorDetail
from shirushi_core.errors import InvalidInputError

DETAILS_TRAILER = "grpc-status-details-bin"

_Field = descriptor_pb2.FieldDescriptorProto


def _status_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="google/rpc/status.proto",
        package="google.rpc",
        syntax="proto3",
        dependency=["google/protobuf/any.proto"],
    )
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=_Field.TYPE_INT32, label=_Field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
    status.field.add(
        name="details",
        number=3,
        type=_Field.TYPE_MESSAGE,
        type_name=".google.protobuf.Any",
        label=_Field.LABEL_REPEATED,
    )
    pool: Any = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(any_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))


_Status = _status_class()


def parse_details(trailer: bytes) -> tuple[ErrorDetail, ...]:
    """Return the gateway.ErrorDetail entries of a serialized google.rpc.Status, in order.

    Entries of other types are not ours and are passed over. Raises InvalidInputError for bytes that do not decode.
    """
    try:
        entries = _Status.FromString(trailer).details
        return tuple(
            _detail(entry.value)
            for entry in entries
            if entry.type_url.rpartition("/")[2] == gateway_pb2.ErrorDetail.DESCRIPTOR.full_name
        )
    except DecodeError as error:
        raise InvalidInputError(
            f"the {DETAILS_TRAILER} trailer is not a google.rpc.Status with gateway error details: {error}"
        ) from error


def _detail(data: bytes) -> ErrorDetail:
    detail = gateway_pb2.ErrorDetail.FromString(data)
    return ErrorDetail(address=detail.address, msp_id=detail.msp_id, message=detail.message)

"""gRPC options of a call: those given at connect, overridden field by field by those of the call itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import grpc


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How one gRPC call is made. None leaves the choice to the gateway's defaults, then to gRPC.

    timeout: seconds from the start of the call; without one a call waits as long as the peer does. For a stream of
    events it bounds the whole stream, not the wait for one event.
    """

    timeout: float | None = None
    metadata: Sequence[tuple[str, str | bytes]] | None = None
    wait_for_ready: bool | None = None
    credentials: grpc.CallCredentials | None = None
    compression: grpc.Compression | None = None

    def over(self, defaults: CallOptions) -> CallOptions:
        """Return these options, with what they leave open taken from the defaults."""
        mine, theirs = self.as_arguments(), defaults.as_arguments()
        return CallOptions(**(theirs | mine))

    def as_arguments(self) -> dict[str, Any]:
        """Return the options that are set, as keyword arguments of a gRPC call."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in values if value is not None}


@dataclass(frozen=True, slots=True)
class DefaultCallOptions:
    """The options that each kind of call has when its caller gives none."""

    evaluate: CallOptions = CallOptions()
    endorse: CallOptions = CallOptions()
    submit: CallOptions = CallOptions()
    commit_status: CallOptions = CallOptions()
    chaincode_events: CallOptions = CallOptions()
    block_events: CallOptions = CallOptions()
    filtered_block_events: CallOptions = CallOptions()
    block_and_private_data_events: CallOptions = CallOptions()

"""What a peer's filters keep from its endorser: proposals of expired clients, and ones that are too old or of the future.

Source: core/handlers/auth/filter (ExpirationCheck, TimeWindowCheck), which Fabric's core.yaml switches on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fabric_protos.common import common_pb2
from fabric_protos.peer import proposal_pb2
from google.protobuf.message import DecodeError, Message

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.identity import expires_at
from shirushi_core.fabric.proposal import INVALID_MESSAGE

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ProposalFilteredError(ShirushiError):
    """A proposal that does not come to the endorser. Gateways take it for a failure of the peer, and ask others."""


def check_sender(creator: bytes, seconds: int, nanos: int, now: datetime, window: timedelta) -> None:
    """Check a proposal's creator and timestamp; raises ProposalFilteredError."""
    _check_expiry(creator, now)
    _check_time(seconds, nanos, now, window)


def check_form(signed: proposal_pb2.SignedProposal, now: datetime, window: timedelta) -> None:
    """Check a proposal that is not well-formed, as far as filters look into it; raises ProposalFilteredError."""
    proposal = _parse(proposal_pb2.Proposal, signed.proposal_bytes, "proposal")
    header = _parse(common_pb2.Header, proposal.header, "header")
    signature_header = _parse(common_pb2.SignatureHeader, header.signature_header, "signature header")
    _check_expiry(signature_header.creator, now)
    channel_header = _parse(common_pb2.ChannelHeader, header.channel_header, "channel header")
    timestamp = channel_header.timestamp
    _check_time(timestamp.seconds, timestamp.nanos, now, window)


def _check_expiry(creator: bytes, now: datetime) -> None:
    expiry = expires_at(creator)
    if expiry is not None and expiry < now:
        raise ProposalFilteredError("proposal client identity expired")


def _check_time(seconds: int, nanos: int, now: datetime, window: timedelta) -> None:
    try:
        proposed = _EPOCH + timedelta(seconds=seconds, microseconds=nanos / 1000)
    except OverflowError:
        proposed = datetime.min.replace(tzinfo=UTC) if seconds < 0 else datetime.max.replace(tzinfo=UTC)
    if abs(proposed - now) > window:
        raise ProposalFilteredError(
            f"request unauthorized due to incorrect timestamp {_go_time(proposed)}, peer time {_go_time(now)}, "
            f"peer.authentication.timewindow {_go_duration(window)}"
        )


def _go_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _go_duration(duration: timedelta) -> str:
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s" if hours else f"{minutes}m{seconds}s"


def _parse(kind: type[Message], data: bytes, what: str) -> Any:
    """Parse a message (generated classes carry no types); raises ProposalFilteredError with Go's text."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise ProposalFilteredError(
            f"failed parsing {what}: error unmarshalling {kind.DESCRIPTOR.name}: {INVALID_MESSAGE}"
        ) from None

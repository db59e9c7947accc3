"""Proposed configuration updates: an update, the signatures on it so far, and the file that members pass on.

The file is a common.Envelope of type CONFIG_UPDATE, which Fabric's `peer channel signconfigtx` and `peer channel update`
take and configtxlator decodes. Source: internal/peer/channel/{create,signconfigtx}.go, protoutil/signeddata.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from fabric_protos.common import common_pb2, configtx_pb2
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.config_elements import elements
from shirushi_core.fabric.config_update import ConfigUpdateError
from shirushi_core.fabric.identity import Identity, SigningIdentity
from shirushi_core.fabric.policy import SignedData

MAX_PROPOSAL_BYTES = 8 * 1024 * 1024
"""Larger files are refused unread; an update of a usual channel has some ten thousand bytes."""

MAX_PROPOSAL_SIGNATURES = 256
"""Signatures read of one update: more than a channel has members."""


@dataclass(frozen=True, slots=True)
class ConfigSignature:
    """Somebody's signature on a configuration update (common.ConfigSignature)."""

    signature_header: bytes
    signature: bytes

    @property
    def creator(self) -> bytes:
        """The signer's serialized identity; raises InvalidInputError if the header cannot be read."""
        header = _parse(common_pb2.SignatureHeader, self.signature_header, "signature header")
        return bytes(header.creator)

    def signed_data(self, update_bytes: bytes) -> SignedData:
        """Return what was signed, by whom, and the signature; raises InvalidInputError."""
        return SignedData(self.signature_header + update_bytes, self.creator, self.signature)


@dataclass(frozen=True, slots=True)
class ProposedUpdate:
    """A channel's configuration update on its way between the members: its exact bytes and the signatures on them."""

    channel_id: str
    update_bytes: bytes
    signatures: tuple[ConfigSignature, ...] = ()

    @classmethod
    def from_update(cls, update: configtx_pb2.ConfigUpdate) -> ProposedUpdate:
        """Propose an update, nobody having signed it."""
        return cls(update.channel_id, update.SerializeToString(deterministic=True))

    @classmethod
    def from_bytes(cls, data: bytes) -> ProposedUpdate:
        """Read the file form strictly; the envelope's own signature, which signconfigtx adds, is not kept.

        Raises InvalidInputError for more than MAX_PROPOSAL_BYTES or MAX_PROPOSAL_SIGNATURES, another type of envelope,
        an update for another channel than the header's, or anything that does not decode.
        """
        if len(data) > MAX_PROPOSAL_BYTES:
            raise InvalidInputError(
                f"a proposed configuration update has at most {MAX_PROPOSAL_BYTES} bytes; found {len(data)}"
            )
        envelope = _parse(common_pb2.Envelope, data, "envelope")
        payload = _parse(common_pb2.Payload, envelope.payload, "envelope's payload")
        header = _parse(common_pb2.ChannelHeader, payload.header.channel_header, "channel header")
        if header.type != common_pb2.CONFIG_UPDATE:
            raise InvalidInputError(
                f"the envelope is of type {header.type}; expected {common_pb2.CONFIG_UPDATE} (CONFIG_UPDATE)"
            )
        content = _parse(configtx_pb2.ConfigUpdateEnvelope, payload.data, "ConfigUpdateEnvelope")
        if len(content.signatures) > MAX_PROPOSAL_SIGNATURES:
            raise InvalidInputError(
                f"the update has {len(content.signatures)} signatures; at most {MAX_PROPOSAL_SIGNATURES} are read"
            )
        proposed = cls(
            header.channel_id,
            content.config_update,
            tuple(ConfigSignature(each.signature_header, each.signature) for each in content.signatures),
        )
        for signature in proposed.signatures:
            Identity.from_serialized(signature.creator)
        _check_update(proposed.update, header.channel_id)
        return proposed

    @property
    def update(self) -> configtx_pb2.ConfigUpdate:
        """The update, decoded; raises InvalidInputError."""
        return _parse(configtx_pb2.ConfigUpdate, self.update_bytes, "configuration update")

    def to_bytes(self) -> bytes:
        """Return the file form: an envelope nobody has signed, around the update and its signatures."""
        channel_header = common_pb2.ChannelHeader(type=common_pb2.CONFIG_UPDATE, channel_id=self.channel_id)
        header = common_pb2.Header(channel_header=_bytes(channel_header))
        payload = common_pb2.Payload(header=header, data=_content(self.update_bytes, self.signatures))
        return _bytes(common_pb2.Envelope(payload=_bytes(payload)))

    def signed_by(self, identity: SigningIdentity, nonce: bytes) -> ProposedUpdate:
        """Add an identity's signature (nonce: 24 random bytes); one it gave before is replaced."""
        return self._with([config_signature(self.update_bytes, identity, nonce)])

    def merged(self, other: ProposedUpdate) -> ProposedUpdate:
        """Add the signatures that another copy of the same update has; raises ConfigUpdateError if it is another one."""
        if (self.channel_id, self.update_bytes) != (other.channel_id, other.update_bytes):
            raise ConfigUpdateError(
                "the two files hold different updates: their signatures cannot be put together"
            )
        return self._with(other.signatures)

    def signed_data(self) -> tuple[SignedData, ...]:
        """Return the signatures as policies take them; raises InvalidInputError."""
        return tuple(each.signed_data(self.update_bytes) for each in self.signatures)

    def envelope(
        self, submitter: SigningIdentity, nonce: bytes, seconds: int, nanos: int = 0
    ) -> common_pb2.Envelope:
        """Return the envelope to broadcast to an orderer (see update_envelope)."""
        return update_envelope(
            self.channel_id, self.update_bytes, self.signatures, submitter, nonce, seconds, nanos
        )

    def _with(self, signatures: Iterable[ConfigSignature]) -> ProposedUpdate:
        by_creator = {each.creator: each for each in (*self.signatures, *signatures)}
        if len(by_creator) > MAX_PROPOSAL_SIGNATURES:
            raise ConfigUpdateError(f"an update takes at most {MAX_PROPOSAL_SIGNATURES} signatures")
        return replace(self, signatures=tuple(by_creator.values()))


def config_signature(update_bytes: bytes, identity: SigningIdentity, nonce: bytes) -> ConfigSignature:
    """Sign an update's exact bytes; the nonce is 24 random bytes."""
    header = _bytes(common_pb2.SignatureHeader(creator=identity.identity.serialized, nonce=nonce))
    return ConfigSignature(header, identity.sign(header + update_bytes))


def update_envelope(
    channel_id: str,
    update_bytes: bytes,
    signatures: Iterable[ConfigSignature],
    submitter: SigningIdentity,
    nonce: bytes,
    seconds: int,
    nanos: int = 0,
) -> common_pb2.Envelope:
    """Return the envelope that an orderer's Broadcast takes, signed by a submitter whom the channel's Writers allow.

    The nonce is 24 random bytes; seconds and nanos are the submitter's clock. The submitter's signature here is no
    signature on the update.
    """
    channel_header = common_pb2.ChannelHeader(
        type=common_pb2.CONFIG_UPDATE,
        channel_id=channel_id,
        timestamp=Timestamp(seconds=seconds, nanos=nanos),
    )
    signature_header = common_pb2.SignatureHeader(creator=submitter.identity.serialized, nonce=nonce)
    header = common_pb2.Header(
        channel_header=_bytes(channel_header), signature_header=_bytes(signature_header)
    )
    payload = _bytes(common_pb2.Payload(header=header, data=_content(update_bytes, signatures)))
    return common_pb2.Envelope(payload=payload, signature=submitter.sign(payload))


def _content(update_bytes: bytes, signatures: Iterable[ConfigSignature]) -> bytes:
    messages = [
        configtx_pb2.ConfigSignature(signature_header=each.signature_header, signature=each.signature)
        for each in signatures
    ]
    return _bytes(configtx_pb2.ConfigUpdateEnvelope(config_update=update_bytes, signatures=messages))


def _check_update(update: configtx_pb2.ConfigUpdate, channel_id: str) -> None:
    if not channel_id or update.channel_id != channel_id:
        raise InvalidInputError(
            f"the update is for channel {update.channel_id!r}, its envelope for channel {channel_id!r}"
        )
    if not update.HasField("write_set"):
        raise InvalidInputError("the configuration update has no write set")
    if update.isolated_data:
        raise InvalidInputError("the configuration update holds isolated data, which only new channels had")
    elements(update.read_set)
    elements(update.write_set)


def _parse(kind: type[Message], data: bytes, what: str) -> Any:
    """Parse a message (generated classes carry no types); raises InvalidInputError."""
    try:
        return kind.FromString(data)
    except DecodeError:
        raise InvalidInputError(f"the {what} of the proposed configuration update does not decode") from None


def _bytes(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)

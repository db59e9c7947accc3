"""Identities: an MSP id and a certificate (msp.SerializedIdentity)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from fabric_protos.msp import identities_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate import Certificate, read_certificate
from shirushi_core.fabric.messages import parse
from shirushi_core.fabric.signing import PrivateKey, sign

CACHED_CERTIFICATES = 1024
"""Parsed certificates kept: more than the clients and members a channel sees at one time."""

_parsed_certificate = lru_cache(maxsize=CACHED_CERTIFICATES)(read_certificate)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who says so: an MSP id and an X.509 certificate, not yet judged by any MSP."""

    msp_id: str
    certificate_pem: bytes

    @property
    def serialized(self) -> bytes:
        """The msp.SerializedIdentity bytes, as they stand in signature headers."""
        message = identities_pb2.SerializedIdentity(mspid=self.msp_id, id_bytes=self.certificate_pem)
        return bytes(message.SerializeToString())

    @property
    def certificate(self) -> Certificate:
        """The certificate as Fabric reads it (cached per PEM bytes); raises InvalidInputError."""
        return _parsed_certificate(self.certificate_pem)

    @classmethod
    def from_serialized(cls, data: bytes) -> Identity:
        """Parse msp.SerializedIdentity bytes strictly; raises InvalidInputError."""
        try:
            message = parse(identities_pb2.SerializedIdentity, data)
        except DecodeError:
            raise InvalidInputError("could not deserialize a SerializedIdentity") from None
        if not message.mspid:
            raise InvalidInputError("the SerializedIdentity names no MSP")
        if not message.id_bytes:
            raise InvalidInputError(f"the SerializedIdentity of MSP {message.mspid} holds no certificate")
        return cls(message.mspid, message.id_bytes)


def expires_at(serialized: bytes) -> datetime | None:
    """Return when an identity's certificate expires, whoever issued it; None if there is none to read.

    Source: common/crypto/expiration.go (ExpiresAt).
    """
    try:
        return Identity.from_serialized(serialized).certificate.not_after
    except InvalidInputError:
        return None


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """An identity with its private key."""

    identity: Identity
    key: PrivateKey = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Sign a message as Fabric does (see signing.sign)."""
        return sign(self.key, message)

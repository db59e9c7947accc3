"""The half of validation that needs no state: form, identities and signatures of one envelope.

Orderer and committer of the embedded node share it, so that nothing is parsed or verified twice. Source:
core/common/validation/msgvalidation.go, core/committer/txvalidator/v20/validator.go (the order of checks).
"""

from __future__ import annotations

from dataclasses import dataclass

from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.envelope import (
    EndorserTransaction,
    EnvelopeError,
    EnvelopeHeader,
    OpenEnvelope,
    check_header,
    endorsed_action,
    read_envelope,
    read_transaction,
)
from shirushi_core.fabric.messages import parse
from shirushi_core.fabric.msp import IdentityError, ValidIdentity
from shirushi_core.fabric.policy import SignedData, valid_signers
from shirushi_core.fabric.signing import SignatureError
from shirushi_node.ledger.clock import IGNORING_EXPIRY

VALID: int = transaction_pb2.VALID


@dataclass(frozen=True, slots=True)
class Authenticated:
    """An envelope, its headers if they can be read, and its creator if the signature is theirs.

    `code` is VALID, or what Fabric's peers give it for its headers or its creator's signature, in this order.
    """

    data: bytes
    header: EnvelopeHeader | None
    opened: OpenEnvelope | None
    creator: ValidIdentity | None
    code: int


@dataclass(frozen=True, slots=True)
class Examined:
    """An envelope after all checks that need no state.

    `form` is the code before the transaction id is looked up in the ledger, `content` the code after it; VALID for
    either means that nothing was found wrong.
    """

    data: bytes
    header: EnvelopeHeader | None
    transaction: EndorserTransaction | None  # None for one that is no endorser transaction, or invalid
    signers: tuple[ValidIdentity, ...]  # distinct endorsers whose signatures hold
    form: int = VALID
    content: int = VALID


def authenticate(data: bytes, config: ChannelConfig) -> Authenticated:
    """Read an envelope's headers and verify its creator's signature."""
    try:
        envelope = parse(common_pb2.Envelope, data)
    except DecodeError:
        return Authenticated(data, None, None, None, transaction_pb2.INVALID_OTHER_REASON)
    try:
        opened = read_envelope(envelope)
    except EnvelopeError as error:
        return Authenticated(data, None, None, None, error.validation_code)
    header = opened.header
    creator: ValidIdentity | None = None
    code = transaction_pb2.BAD_CREATOR_SIGNATURE
    try:
        creator = config.msps.validate(header.creator, IGNORING_EXPIRY)
        creator.verify(opened.signature, opened.payload)
        code = VALID
    except (IdentityError, InvalidInputError, SignatureError):
        creator = None
    try:
        check_header(header)
    except EnvelopeError as error:
        code = error.validation_code
    return Authenticated(data, header, opened, creator, code)


def examine(authenticated: Authenticated, config: ChannelConfig) -> Examined:
    """Check everything else that needs no state, and find out who endorsed."""
    data, header, opened = authenticated.data, authenticated.header, authenticated.opened
    if authenticated.code != VALID or opened is None:
        return Examined(data, header, None, (), form=authenticated.code)
    is_config = opened.header.type == common_pb2.CONFIG
    try:
        action = None if is_config else endorsed_action(opened)
    except EnvelopeError as error:
        return Examined(data, header, None, (), form=error.validation_code)
    if opened.header.channel_id != config.channel_id:
        return Examined(data, header, None, (), form=transaction_pb2.TARGET_CHAIN_NOT_FOUND)
    if action is None:
        return Examined(data, header, None, ())
    try:
        transaction = read_transaction(action)
    except EnvelopeError as error:
        return Examined(data, header, None, (), content=error.validation_code)
    return Examined(data, header, transaction, _signers(transaction, config))


def _signers(transaction: EndorserTransaction, config: ChannelConfig) -> tuple[ValidIdentity, ...]:
    payload = transaction.response_payload
    signed = (
        SignedData(payload + each.endorser, each.endorser, each.signature)
        for each in transaction.endorsements
    )
    return tuple(valid_signers(signed, config.msps, IGNORING_EXPIRY))

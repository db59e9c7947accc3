"""What can be wrong with a transaction's bytes: one message of it changed on the way, the rest built on top of that.

Each damage is the name of a message and a function that changes it in place; messages are built from the inside out, so
that hashes and signatures around a damage hold unless the damage is theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.peer import chaincode_event_pb2, chaincode_pb2, proposal_pb2

Damage: TypeAlias = tuple[str, Callable[[Any], None]]

GARBLED = b"\xff\xff"
NOT_UTF8 = b"\x0a\x02\xff\xfe"  # field 1, as a string of two bytes that are none


def _set(**fields: Any) -> Callable[[Any], None]:
    def change(message: Any) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return change


def _clear(name: str) -> Callable[[Any], None]:
    return lambda message: message.ClearField(name)


def _extension(**fields: Any) -> Callable[[Any], None]:
    extension = proposal_pb2.ChaincodeHeaderExtension(**fields)
    return _set(extension=extension.SerializeToString())


def _event(chaincode: str) -> Callable[[Any], None]:
    event = chaincode_event_pb2.ChaincodeEvent(
        chaincode_id=chaincode, event_name="happened", payload=b"what", tx_id="any"
    )
    return _set(events=event.SerializeToString())


def _own_event(action: Any) -> None:
    _event(action.chaincode_id.name)(action)


def _other_name(action: Any) -> None:
    action.chaincode_id.name = "another"


def _no_name(action: Any) -> None:
    action.chaincode_id.name = ""


def _no_version(action: Any) -> None:
    action.chaincode_id.version = ""


def _twice(results: Any) -> None:
    results.ns_rwset.append(results.ns_rwset[0])


def _garble_namespace(results: Any) -> None:
    results.ns_rwset[0].rwset = GARBLED


def _key_not_utf8(results: Any) -> None:
    results.ns_rwset[0].rwset = b"\x1a\x04" + NOT_UTF8


def _two_actions(transaction: Any) -> None:
    transaction.actions.append(transaction.actions[0])


def _action_header(header: bytes) -> Callable[[Any], None]:
    def change(transaction: Any) -> None:
        transaction.actions[0].header = header

    return change


def _garble_action(transaction: Any) -> None:
    transaction.actions[0].payload = GARBLED


def _no_response_payload(payload: Any) -> None:
    payload.action.proposal_response_payload = b""


def _garble_response_payload(payload: Any) -> None:
    payload.action.proposal_response_payload = GARBLED


def _tampered_payload(payload: Any) -> None:
    payload.chaincode_proposal_payload += b"\x0a\x00"


def _tampered_signature(payload: Any) -> None:
    for endorsement in payload.action.endorsements:
        endorsement.signature = endorsement.signature[:-1] + bytes((endorsement.signature[-1] ^ 1,))


def _empty_signature(payload: Any) -> None:
    for endorsement in payload.action.endorsements:
        endorsement.signature = b""


def _garbled_endorser(payload: Any) -> None:
    payload.action.endorsements[0].endorser = GARBLED


def _no_endorsements(payload: Any) -> None:
    del payload.action.endorsements[:]


def _unknown_field(message: Any) -> None:
    message.MergeFromString(b"\xfa\x3f\x03new")  # field 1023


def _fuzzed(position: int, bits: int) -> Callable[[Any], None]:
    """Change one byte of the first namespace's read-write set."""

    def change(results: Any) -> None:
        content = bytearray(results.ns_rwset[0].rwset)
        content[position % len(content)] ^= bits
        results.ns_rwset[0].rwset = bytes(content)

    return change


def _deleted_with_value(results: Any) -> None:
    results.ns_rwset[0].rwset = b"\x1a\x0b\x0a\x04gone\x10\x01\x1a\x01v"


def _no_results(action: Any) -> None:
    action.results = b""


def _other_creator(header: Any) -> None:
    header.creator = header.creator[:-1] + b"\x00"


_OTHER_HEADER = common_pb2.SignatureHeader(creator=b"someone", nonce=b"n").SerializeToString()
_OTHER_CHAINCODE = chaincode_pb2.ChaincodeID(name="another")
_EMPTY_RESULTS = rwset_pb2.TxReadWriteSet().SerializeToString()

MALFORMED: dict[str, Damage] = {
    "epoch": ("channel header", _set(epoch=1)),
    "another's transaction id": ("channel header", _set(tx_id="00" * 32)),
    "no transaction id": ("channel header", _set(tx_id="")),
    "no extension": ("channel header", _set(extension=b"")),
    "garbled extension": ("channel header", _set(extension=GARBLED)),
    "extension that is not UTF-8": ("channel header", _set(extension=b"\x12\x06\x12\x04" + NOT_UTF8)),
    "extension without name": ("channel header", _extension(chaincode_id=chaincode_pb2.ChaincodeID())),
    "extension of another chaincode": ("channel header", _extension(chaincode_id=_OTHER_CHAINCODE)),
    "no data": ("payload", _set(data=b"")),
    "garbled data": ("payload", _set(data=GARBLED)),
    "no action": ("transaction", _clear("actions")),
    "two actions": ("transaction", _two_actions),
    "action without header": ("transaction", _action_header(b"")),
    "action with a garbled header": ("transaction", _action_header(GARBLED)),
    "action with another header": ("transaction", _action_header(_OTHER_HEADER)),
    "garbled action": ("transaction", _garble_action),
    "no response payload": ("action payload", _no_response_payload),
    "garbled response payload": ("action payload", _garble_response_payload),
    "tampered proposal": ("action payload", _tampered_payload),
    "other proposal hash": ("response payload", _set(proposal_hash=bytes(32))),
    "no proposal hash": ("response payload", _set(proposal_hash=b"")),
    "no chaincode action": ("response payload", _set(extension=b"")),
    "garbled chaincode action": ("response payload", _set(extension=GARBLED)),
    "garbled results": ("chaincode action", _set(results=GARBLED)),
    "garbled namespace": ("results", _garble_namespace),
    "key that is not UTF-8": ("results", _key_not_utf8),
    "namespace twice": ("results", _twice),
    "no chaincode id": ("chaincode action", _clear("chaincode_id")),
    "another chaincode": ("chaincode action", _other_name),
    "no chaincode name": ("chaincode action", _no_name),
    "no version": ("chaincode action", _no_version),
    "garbled event": ("chaincode action", _set(events=GARBLED)),
    "another chaincode's event": ("chaincode action", _event("another")),
}
"""What orderers take and peers cannot: the transaction is invalid before its endorsements are looked at."""

ODD: dict[str, Damage] = {
    "an event": ("chaincode action", _own_event),
    "no results": ("chaincode action", _no_results),
    "empty results": ("chaincode action", _set(results=_EMPTY_RESULTS)),
    "a failed response": ("chaincode action", lambda action: setattr(action.response, "status", 500)),
    "no response": ("chaincode action", _clear("response")),
    "deleted with a value": ("results", _deleted_with_value),
    "tampered signatures": ("action payload", _tampered_signature),
    "empty signatures": ("action payload", _empty_signature),
    "a garbled endorser": ("action payload", _garbled_endorser),
    "no endorsements": ("action payload", _no_endorsements),
    "unknown field in the payload": ("payload", _unknown_field),
    "unknown field in the envelope": ("envelope", _unknown_field),
    "unknown field in the action": ("chaincode action", _unknown_field),
    "unknown field in the results": ("results", _unknown_field),
    "no timestamp": ("channel header", _clear("timestamp")),
    "header version": ("channel header", _set(version=7)),
    **{
        f"byte {position} changed by {bits}": ("results", _fuzzed(position, bits))
        for position in range(0, 40, 3)
        for bits in (1, 8, 128)
    },
}
"""What is judged by its endorsements, whatever it looks like."""

REFUSED: dict[str, Damage] = {
    "no signature": ("signed envelope", _set(signature=b"")),
    "garbled signature": ("signed envelope", _set(signature=GARBLED)),
    "signature of something else": ("signed envelope", lambda envelope: _extend(envelope)),
    "no payload": ("envelope", _set(payload=b"")),
    "garbled payload": ("envelope", _set(payload=GARBLED)),
    "no header": ("payload", _clear("header")),
    "no channel header": ("payload", lambda payload: payload.header.ClearField("channel_header")),
    "garbled channel header": ("payload", lambda payload: _header(payload, channel_header=GARBLED)),
    "no signature header": ("payload", lambda payload: payload.header.ClearField("signature_header")),
    "garbled signature header": ("payload", lambda payload: _header(payload, signature_header=GARBLED)),
    "no creator": ("signature header", _set(creator=b"")),
    "garbled creator": ("signature header", _set(creator=GARBLED)),
    "tampered creator": ("signature header", _other_creator),
    "other channel": ("channel header", _set(channel_id="another-channel")),
    "no channel": ("channel header", _set(channel_id="")),
    "configuration": ("channel header", _set(type=common_pb2.CONFIG)),
    "orderer transaction": ("channel header", _set(type=common_pb2.ORDERER_TRANSACTION)),
    "too large": ("chaincode action", lambda action: setattr(action.response, "payload", bytes(1_100_000))),
    "of an expired client": ("creator", lambda _: None),
    "of an expired client, garbled": ("signed envelope", _set(signature=GARBLED)),
    "of an expired stranger": ("creator", lambda _: None),
    "of a stranger": ("creator", lambda _: None),
    "of an unknown MSP": ("creator", lambda _: None),
}
"""What orderers refuse."""

CREATORS = {
    "of an expired client": "expired-client1",
    "of an expired client, garbled": "expired-client1",
    "of an expired stranger": "expired-foreign-client1",
    "of a stranger": "foreign-client1",
    "of an unknown MSP": "nobody",
}
"""Who signs what is refused for its creator."""


def _header(payload: Any, **fields: bytes) -> None:
    for name, value in fields.items():
        setattr(payload.header, name, value)


def _extend(envelope: Any) -> None:
    envelope.payload += b"\x12\x00"

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from hypothesis import given
from hypothesis import strategies as st
from tests.support.throwaway_ca import ThrowawayCa
from tests.support.transactions import transaction

from shirushi_core.fabric.envelope import (
    EnvelopeError,
    open_envelope,
    parse_endorser_transaction,
    parse_header,
    signed_data,
)
from shirushi_core.fabric.proposal import committed_proposal_hash
from shirushi_core.fabric.rwset import NamespaceRwSet, Version, Write, encode

CA = ThrowawayCa.root("ca")
CLIENT = CA.issue("client")
PEERS = [CA.issue("peer", name=f"peer{number}") for number in range(3)]
RW_SET = NamespaceRwSet("basic", reads={"key": Version(3, 1)}, writes=(Write("key", b"value"),))
EVENT = chaincode_event_pb2.ChaincodeEvent(chaincode_id="basic", event_name="put").SerializeToString()
GOOD = transaction(CLIENT, PEERS, [RW_SET], event=EVENT)


def test_a_transaction_is_taken_apart() -> None:
    parsed = parse_endorser_transaction(GOOD.envelope)
    assert parsed.header == parse_header(GOOD.envelope)
    assert parsed.header.channel_id == "channel"
    assert parsed.header.tx_id == GOOD.tx_id
    assert (parsed.header.timestamp_seconds, parsed.header.timestamp_nanos) == (1_770_000_000, 42)
    assert parsed.header.creator == CLIENT.identity.serialized
    assert (parsed.chaincode_name, parsed.chaincode_version) == ("basic", "1.0")
    assert parsed.args == (b"put", b"key", b"value")
    assert parsed.response_payload == GOOD.response_payload
    assert [each.endorser for each in parsed.endorsements] == [each.identity.serialized for each in PEERS]
    assert parsed.results == encode([RW_SET])
    assert parsed.rw_sets == (RW_SET,)
    assert parsed.event == EVENT
    assert (parsed.response_status, parsed.response_payload_bytes) == (200, b"result")


def test_signed_data_is_payload_creator_and_signature() -> None:
    signed = signed_data(GOOD.envelope)
    assert signed.data == GOOD.envelope.payload
    assert signed.identity == CLIENT.identity.serialized
    assert signed.signature == GOOD.envelope.signature


def rebuilt(**changes: Any) -> common_pb2.Envelope:
    """Return a good transaction with some of its parts replaced; outer parts are rebuilt, the proposal hash too."""
    body = common_pb2.Payload.FromString(GOOD.envelope.payload)
    channel_header = common_pb2.ChannelHeader.FromString(body.header.channel_header)
    signature_header = common_pb2.SignatureHeader.FromString(body.header.signature_header)
    message = transaction_pb2.Transaction.FromString(body.data)
    action = transaction_pb2.ChaincodeActionPayload.FromString(message.actions[0].payload)
    response = proposal_response_pb2.ProposalResponsePayload.FromString(
        action.action.proposal_response_payload
    )
    result = proposal_pb2.ChaincodeAction.FromString(response.extension)
    for name, value in changes.items():
        if name in ("type", "epoch", "tx_id", "extension"):
            setattr(channel_header, name, value)
        elif name in ("nonce", "creator"):
            setattr(signature_header, name, value)
        elif name in ("results", "events"):
            setattr(result, name, value)
        elif name == "chaincode_id":
            result.ClearField("chaincode_id")
            if value is not None:
                result.chaincode_id.CopyFrom(value)
    body.header.channel_header = changes.get("channel_header", channel_header.SerializeToString())
    body.header.signature_header = changes.get("signature_header", signature_header.SerializeToString())
    message.actions[0].header = changes.get("action_header", message.actions[0].header)
    response.extension = changes.get("chaincode_action", result.SerializeToString())
    response.proposal_hash = changes.get(
        "proposal_hash",
        committed_proposal_hash(
            body.header.channel_header, message.actions[0].header, action.chaincode_proposal_payload
        ),
    )
    action.action.proposal_response_payload = changes.get("response", response.SerializeToString())
    if changes.get("no_endorsed_action"):
        action.ClearField("action")
    message.actions[0].payload = changes.get("action_payload", action.SerializeToString())
    for _ in range(changes.get("extra_actions", 0)):
        message.actions.append(message.actions[0])
    body.data = changes.get("data", message.SerializeToString())
    if changes.get("no_header"):
        body.ClearField("header")
    return common_pb2.Envelope(payload=changes.get("payload", body.SerializeToString()), signature=b"s")


def extension(**fields: Any) -> bytes:
    return bytes(proposal_pb2.ChaincodeHeaderExtension(**fields).SerializeToString())


def named(name: str, version: str = "1.0") -> chaincode_pb2.ChaincodeID:
    return chaincode_pb2.ChaincodeID(name=name, version=version)


BROKEN = b"\xff"
NO_NONCE = common_pb2.SignatureHeader(creator=b"c").SerializeToString()
OTHER_EVENT = chaincode_event_pb2.ChaincodeEvent(chaincode_id="other").SerializeToString()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payload": BROKEN}, "BAD_PAYLOAD"),
        ({"payload": b""}, "BAD_COMMON_HEADER"),
        ({"no_header": True}, "BAD_COMMON_HEADER"),
        ({"channel_header": BROKEN}, "BAD_COMMON_HEADER"),
        ({"signature_header": BROKEN}, "BAD_COMMON_HEADER"),
        ({"type": common_pb2.MESSAGE}, "BAD_COMMON_HEADER"),
        ({"epoch": 1}, "BAD_COMMON_HEADER"),
        ({"nonce": b""}, "BAD_COMMON_HEADER"),
        ({"creator": b""}, "BAD_COMMON_HEADER"),
        ({"type": common_pb2.CONFIG_UPDATE}, "UNSUPPORTED_TX_PAYLOAD"),
        ({"tx_id": "abc"}, "BAD_PROPOSAL_TXID"),
        ({"data": BROKEN}, "INVALID_ENDORSER_TRANSACTION"),
        ({"data": b""}, "INVALID_ENDORSER_TRANSACTION"),
        ({"extra_actions": 1}, "INVALID_ENDORSER_TRANSACTION"),
        ({"action_header": BROKEN}, "INVALID_ENDORSER_TRANSACTION"),
        ({"action_header": NO_NONCE}, "INVALID_ENDORSER_TRANSACTION"),
        ({"action_payload": BROKEN}, "INVALID_ENDORSER_TRANSACTION"),
        ({"no_endorsed_action": True}, "INVALID_ENDORSER_TRANSACTION"),
        ({"response": BROKEN}, "INVALID_ENDORSER_TRANSACTION"),
        ({"proposal_hash": b"other"}, "INVALID_ENDORSER_TRANSACTION"),
        ({"extension": BROKEN}, "BAD_HEADER_EXTENSION"),
        ({"chaincode_action": BROKEN}, "BAD_RESPONSE_PAYLOAD"),
        ({"chaincode_action": b""}, "BAD_RESPONSE_PAYLOAD"),
        ({"results": BROKEN}, "BAD_RWSET"),
        ({"extension": b""}, "INVALID_OTHER_REASON"),
        ({"chaincode_id": None}, "INVALID_OTHER_REASON"),
        ({"extension": extension(chaincode_id=named(""))}, "INVALID_CHAINCODE"),
        ({"chaincode_id": named("other")}, "INVALID_CHAINCODE"),
        ({"chaincode_id": named("basic", "")}, "INVALID_CHAINCODE"),
        ({"events": BROKEN}, "INVALID_OTHER_REASON"),
        ({"events": OTHER_EVENT}, "INVALID_OTHER_REASON"),
        ({"results": encode([RW_SET]) * 2}, "ILLEGAL_WRITESET"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_a_malformed_transaction_gets_fabrics_validation_code(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_endorser_transaction(rebuilt(**changes))
    assert transaction_pb2.TxValidationCode.Name(caught.value.validation_code) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": common_pb2.MESSAGE, "tx_id": "abc"}, "BAD_COMMON_HEADER"),
        ({"tx_id": "abc", "data": BROKEN}, "BAD_PROPOSAL_TXID"),
        ({"proposal_hash": b"other", "extension": BROKEN}, "INVALID_ENDORSER_TRANSACTION"),
        ({"extension": BROKEN, "chaincode_action": BROKEN}, "BAD_HEADER_EXTENSION"),
        ({"results": BROKEN, "chaincode_id": None}, "BAD_RWSET"),
        ({"chaincode_id": None, "results": encode([RW_SET]) * 2}, "INVALID_OTHER_REASON"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value,
)
def test_of_two_faults_the_one_fabric_looks_for_first_counts(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_endorser_transaction(rebuilt(**changes))
    assert transaction_pb2.TxValidationCode.Name(caught.value.validation_code) == code


def test_a_rebuilt_transaction_is_good_without_changes() -> None:
    assert parse_endorser_transaction(rebuilt()) == parse_endorser_transaction(GOOD.envelope)


def test_headers_of_any_type_can_be_read() -> None:
    assert parse_header(rebuilt(type=common_pb2.DELIVER_SEEK_INFO)).type == common_pb2.DELIVER_SEEK_INFO
    with pytest.raises(EnvelopeError, match="DELIVER_SEEK_INFO"):
        open_envelope(rebuilt(type=common_pb2.DELIVER_SEEK_INFO))


def test_arguments_that_cannot_be_read_are_no_reason_to_refuse() -> None:
    body = common_pb2.Payload.FromString(GOOD.envelope.payload)
    message = transaction_pb2.Transaction.FromString(body.data)
    action = transaction_pb2.ChaincodeActionPayload.FromString(message.actions[0].payload)
    action.chaincode_proposal_payload = BROKEN
    response = proposal_response_pb2.ProposalResponsePayload.FromString(
        action.action.proposal_response_payload
    )
    response.proposal_hash = committed_proposal_hash(
        body.header.channel_header, message.actions[0].header, BROKEN
    )
    action.action.proposal_response_payload = response.SerializeToString()
    envelope = rebuilt(action_payload=action.SerializeToString())
    assert parse_endorser_transaction(envelope).args == ()


@given(st.data())
def test_damaged_transactions_give_a_typed_error_or_a_transaction(data: st.DataObject) -> None:
    good = GOOD.envelope.payload
    position = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:position] + data.draw(st.binary(max_size=3)) + good[position + 1 :]
    envelope = common_pb2.Envelope(payload=damaged)
    for parse in (parse_endorser_transaction, parse_header, signed_data):
        with contextlib.suppress(EnvelopeError):
            parse(envelope)

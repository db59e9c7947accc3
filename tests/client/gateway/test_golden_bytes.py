"""Bytes on the wire, spelled out from the .proto files: the same input always gives these."""

from __future__ import annotations

import hashlib

from shirushi_client.gateway.block_events import new_seek_envelope
from shirushi_client.gateway.chaincode_events import new_chaincode_events_message
from shirushi_client.gateway.proposal import new_proposed_transaction

TIME_NS = 1_700_000_000_000_000_005
TIMESTAMP = "0880e2cfaa061005"  # seconds 1 700 000 000, nanos 5
NONCE = bytes(range(24))
CREATOR = b"me"


def field(number: int, content: str) -> str:
    length = len(content) // 2
    varint = f"{length:02x}" if length < 0x80 else f"{length & 0x7F | 0x80:02x}{length >> 7:02x}"
    return f"{number << 3 | 2:02x}{varint}{content}"


def text(value: str) -> str:
    return value.encode().hex()


def test_a_proposal_with_fixed_nonce_and_time_has_these_bytes():
    proposed = new_proposed_transaction(
        channel_id="ch",
        chaincode_name="cc",
        arguments=["f", b"\xff"],
        creator=CREATOR,
        nonce=NONCE,
        time_ns=TIME_NS,
        transient_data={"b": "2", "a": "1"},
        endorsing_organizations=["O1", "O2"],
    )
    transaction_id = hashlib.sha256(NONCE + CREATOR).hexdigest()
    channel_header = (
        "0803"  # type ENDORSER_TRANSACTION
        + field(3, TIMESTAMP)
        + field(4, text("ch"))
        + field(5, text(transaction_id))
        + field(7, field(2, field(2, text("cc"))))
    )
    signature_header = field(1, CREATOR.hex()) + field(2, NONCE.hex())
    header = field(1, channel_header) + field(2, signature_header)
    spec = "0802" + field(2, field(2, text("cc"))) + field(3, field(1, text("f")) + field(1, "ff"))
    payload = (
        field(1, field(1, spec))
        + field(2, field(1, text("a")) + field(2, text("1")))
        + field(2, field(1, text("b")) + field(2, text("2")))
    )
    proposal = field(1, header) + field(2, payload)
    assert proposed.SerializeToString().hex() == (
        field(1, text(transaction_id))
        + field(2, field(1, proposal))
        + field(3, text("O1"))
        + field(3, text("O2"))
    )


def test_a_seek_request_with_fixed_time_has_these_bytes():
    envelope = new_seek_envelope(
        channel_id="ch",
        creator=CREATOR,
        time_ns=TIME_NS,
        start_block=7,
        checkpoint=None,
        tls_client_certificate_hash=b"h",
    )
    channel_header = "0805" + field(3, TIMESTAMP) + field(4, text("ch")) + field(8, text("h"))
    header = field(1, channel_header) + field(2, field(1, CREATOR.hex()))
    seek = field(1, field(3, "0807")) + field(2, field(3, "08ffffffffffffffffff01"))
    assert envelope.SerializeToString().hex() == field(1, field(1, header) + field(2, seek))


def test_a_chaincode_events_request_has_these_bytes():
    message = new_chaincode_events_message(
        channel_id="ch", chaincode_name="cc", creator=CREATOR, start_block=None, checkpoint=None
    )
    request = field(1, text("ch")) + field(2, text("cc")) + field(3, CREATOR.hex()) + field(4, field(4, ""))
    assert message.SerializeToString().hex() == field(1, request)

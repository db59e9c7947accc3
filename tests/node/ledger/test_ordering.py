from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from fabric_protos.common import common_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import BATCH, CHANNEL, Consortium, Member
from tests.support.throwaway_ca import EXPIRED, NOW
from tests.support.transactions import Endorsed, sign_envelope, transaction

from shirushi_core.fabric.envelope import EnvelopeHeader
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.proposal import INVALID_MESSAGE
from shirushi_core.fabric.rwset import NamespaceRwSet, Write
from shirushi_node.ledger.examination import VALID, Examined
from shirushi_node.ledger.ordering import REMEMBERED_TRANSACTIONS, BlockCutter, OrderingError, check_envelope

NO_CHANNEL = "could not determine channel ID"
BAD_REQUEST, FORBIDDEN, NOT_IMPLEMENTED, UNAVAILABLE = 400, 403, 501, 503


def good(consortium: Consortium, client: SigningIdentity | None = None, size: int = 10) -> Endorsed:
    writes = NamespaceRwSet("basic", writes=(Write("key", b"v" * size),))
    return transaction(client or consortium.client, consortium.peers(), [writes], channel_id=CHANNEL)


def refused(consortium: Consortium, data: bytes | common_pb2.Envelope) -> tuple[int, str]:
    with pytest.raises(OrderingError) as caught:
        check_envelope(data if isinstance(data, bytes) else data.SerializeToString(), consortium.config, NOW)
    return caught.value.status, str(caught.value)


def with_header(consortium: Consortium, **fields: object) -> common_pb2.Envelope:
    envelope = good(consortium).envelope
    body = common_pb2.Payload.FromString(envelope.payload)
    header = common_pb2.ChannelHeader.FromString(body.header.channel_header)
    for name, value in fields.items():
        setattr(header, name, value)
    body.header.channel_header = header.SerializeToString()
    envelope.payload = body.SerializeToString()
    return sign_envelope(envelope, consortium.client)


def in_envelope(payload: bytes) -> bytes:
    return bytes(common_pb2.Envelope(payload=payload).SerializeToString())


def with_headers(**headers: bytes) -> bytes:
    return in_envelope(common_pb2.Payload(header=common_pb2.Header(**headers)).SerializeToString())


def test_a_good_transaction_is_accepted_with_its_bytes(consortium: Consortium) -> None:
    one = good(consortium)
    examined = check_envelope(one.data, consortium.config, NOW)
    assert examined.data == one.data
    assert examined.transaction is not None
    assert [each.msp_id for each in examined.signers] == ["Org1MSP", "Org2MSP", "Org3MSP"]


def test_endorsements_are_not_the_orderers_business(consortium: Consortium) -> None:
    unendorsed = transaction(consortium.client, [], [], channel_id=CHANNEL)
    assert check_envelope(unendorsed.data, consortium.config, NOW).signers == ()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xff", "malformed envelope"),
        (b"", f"{NO_CHANNEL}: header not set"),
        (in_envelope(b"\xff"), f"{NO_CHANNEL}: error unmarshalling Payload: {INVALID_MESSAGE}"),
        (with_headers(), f"{NO_CHANNEL}: channel header not set"),
        (
            with_headers(channel_header=b"\xff"),
            f"{NO_CHANNEL}: error unmarshalling channel header: error unmarshalling ChannelHeader: {INVALID_MESSAGE}",
        ),
        (
            with_headers(
                channel_header=common_pb2.ChannelHeader(type=3, channel_id=CHANNEL).SerializeToString(),
                signature_header=b"\xff",
            ),
            f"could not convert message to signedData: GetSignatureHeaderFromBytes failed, err {INVALID_MESSAGE}",
        ),
    ],
    ids=["no envelope", "empty", "no payload", "no channel header", "channel header", "signature header"],
)
def test_malformed_envelopes_are_bad_requests(consortium: Consortium, data: bytes, text: str) -> None:
    assert refused(consortium, data) == (BAD_REQUEST, text)


@pytest.mark.parametrize("fields", [{"epoch": 1}, {"tx_id": "another"}])
def test_what_else_headers_say_is_the_peers_business(
    consortium: Consortium, fields: dict[str, object]
) -> None:
    envelope = with_header(consortium, **fields)
    assert check_envelope(envelope.SerializeToString(), consortium.config, NOW).form != VALID


def test_another_channel_does_not_exist(consortium: Consortium) -> None:
    assert refused(consortium, with_header(consortium, channel_id="other")) == (
        BAD_REQUEST,
        "channel does not exist",
    )


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (common_pb2.CONFIG, "message is of type that cannot be processed directly"),
        (common_pb2.ORDERER_TRANSACTION, "message is of type that is no longer supported"),
        (common_pb2.MESSAGE, "transaction of type MESSAGE is not allowed to be included in blocks"),
        (99, "transaction of type 99 is not allowed to be included in blocks"),
    ],
)
def test_only_endorser_transactions_are_ordered(consortium: Consortium, kind: int, text: str) -> None:
    assert refused(consortium, with_header(consortium, type=kind)) == (BAD_REQUEST, text)


def test_configuration_updates_are_not_implemented(consortium: Consortium) -> None:
    status, message = refused(consortium, with_header(consortium, type=common_pb2.CONFIG_UPDATE))
    assert status == NOT_IMPLEMENTED
    assert "not implemented by the embedded ledger" in message


def test_too_large_a_message_is_refused_before_its_signature_is_looked_at(consortium: Consortium) -> None:
    envelope = good(consortium, size=BATCH.absolute_max_bytes).envelope
    envelope.signature = b""
    size = len(envelope.payload)
    assert refused(consortium, envelope) == (
        BAD_REQUEST,
        f"message payload is {size} bytes and exceeds maximum allowed {BATCH.absolute_max_bytes} bytes",
    )


def test_a_stranger_may_not_write(consortium: Consortium) -> None:
    status, message = refused(consortium, good(consortium, Member.named(9).client).envelope)
    assert status == FORBIDDEN
    assert message.endswith(": permission denied")


def test_a_bad_signature_may_not_write(consortium: Consortium) -> None:
    envelope = good(consortium).envelope
    envelope.signature = b"\0" + envelope.signature
    assert refused(consortium, envelope)[0] == FORBIDDEN
    envelope.signature = b""
    assert refused(consortium, envelope)[0] == FORBIDDEN


def test_an_expired_client_is_told_so(consortium: Consortium) -> None:
    client = consortium.members[0].ca.issue("client", not_after=EXPIRED)
    assert refused(consortium, good(consortium, client).envelope) == (
        BAD_REQUEST,
        "broadcast client identity expired",
    )


@pytest.mark.parametrize("defect", ["forged", "of a stranger"])
def test_a_certificate_s_expiry_is_looked_at_before_whose_it_is(consortium: Consortium, defect: str) -> None:
    authority = Member.named(9).ca if defect == "of a stranger" else consortium.members[0].ca
    envelope = good(consortium, authority.issue("client", not_after=EXPIRED)).envelope
    if defect == "forged":
        envelope.signature = b"forged"
    assert refused(consortium, envelope) == (BAD_REQUEST, "broadcast client identity expired")


_nonces = count()


def waiting(size: int) -> Examined:
    """Return an envelope of so many bytes, and unlike any other."""
    nonce = str(next(_nonces)).encode()
    return Examined(b"x" * size, EnvelopeHeader(3, CHANNEL, "", 0, 0, b"creator", nonce), None, ())


def test_what_waits_for_a_block_is_not_taken_twice() -> None:
    cutter, one = BlockCutter(BATCH, 10), waiting(1)
    cutter.add(one)
    again = replace(one, data=b"signed once more")
    for step in (lambda: None, cutter.cut):
        step()
        with pytest.raises(
            OrderingError, match=r"^failed to submit request: request already exists$"
        ) as caught:
            cutter.add(again)
        assert caught.value.status == UNAVAILABLE


def test_what_was_committed_is_not_taken_again_for_a_thousand_transactions() -> None:
    cutter, one = BlockCutter(BATCH, 10), waiting(1)
    cutter.add(one)
    cutter.committed(cutter.cut())
    with pytest.raises(
        OrderingError, match=r"^failed to submit request: request already processed$"
    ) as caught:
        cutter.add(one)
    assert caught.value.status == UNAVAILABLE
    cutter.committed([waiting(1) for _ in range(REMEMBERED_TRANSACTIONS)])
    cutter.add(one)
    assert cutter.cut() == [one]


def test_a_block_is_full_by_number_or_bytes() -> None:
    cutter = BlockCutter(replace(BATCH, max_message_count=2, absolute_max_bytes=100), 10)
    cutter.add(waiting(1))
    assert not cutter.full
    cutter.add(waiting(1))
    assert cutter.full
    assert len(cutter.cut()) == 2
    assert not cutter.full
    cutter.add(waiting(100))
    assert cutter.full


def test_a_message_larger_than_a_block_gets_one_of_its_own() -> None:
    cutter = BlockCutter(replace(BATCH, absolute_max_bytes=100), 10)
    for size in (60, 500, 60):
        cutter.add(waiting(size))
    assert [[len(each.data) for each in cutter.cut()] for _ in range(4)] == [[60], [500], [60], []]


def test_a_full_queue_refuses() -> None:
    cutter = BlockCutter(BATCH, 2)
    cutter.add(waiting(1))
    cutter.add(waiting(1))
    with pytest.raises(OrderingError, match="queue is full") as caught:
        cutter.add(waiting(1))
    assert caught.value.status == UNAVAILABLE
    cutter.cut()
    cutter.add(waiting(1))


@given(st.lists(st.integers(1, 300)), st.integers(1, 5), st.integers(1, 300))
def test_cutting_loses_and_reorders_nothing(sizes: list[int], most: int, limit: int) -> None:
    cutter = BlockCutter(replace(BATCH, max_message_count=most, absolute_max_bytes=limit), 1000)
    for size in sizes:
        cutter.add(waiting(size))
    blocks = []
    while len(cutter):
        blocks.append([len(each.data) for each in cutter.cut()])
    assert [size for block in blocks for size in block] == sizes
    for block in blocks:
        assert 1 <= len(block) <= most
        assert len(block) == 1 or sum(block) <= limit

"""Transactions built from the inside out, each message of which may be encoded oddly on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from google.protobuf.timestamp_pb2 import Timestamp
from tests.fabric.forging import SECONDS, Signer
from tests.fabric.fuzzing.wire_oddities import ODDITIES, parts_of

from shirushi_core.fabric.proposal import committed_proposal_hash, transaction_id
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.epoch import epoch_of, tick_key

Hook: TypeAlias = Callable[[str, bytes], bytes]
"""Given a message's name and bytes, returns the bytes that stand for it."""

ANCHORS = "anchors"
LEVELS = (
    "envelope",
    "payload",
    "header",
    "channel header",
    "signature header",
    "timestamp",
    "extension",
    "transaction",
    "action",
    "action payload",
    "endorsed action",
    "response payload",
    "chaincode action",
    "chaincode id",
    "response",
    "event",
    "results",
    "namespace",
    "key-value set",
    "write",
)


@dataclass(frozen=True)
class Content:
    """What a transaction writes in a namespace, and its event's payload."""

    writes: tuple[tuple[str, bytes], ...]
    event: bytes | None = None
    chaincode: str = ANCHORS


def envelope(
    content: Content,
    number: int,
    creator: Signer,
    endorsers: Sequence[Signer],
    channel: str,
    hook: Hook = lambda _, data: data,
) -> bytes:
    """Return a signed envelope; signatures and hashes are over the bytes that the hook gives."""
    nonce = hashlib.sha256(f"fuzzing {number}".encode()).digest()[:24]
    signature_header = hook(
        "signature header",
        common_pb2.SignatureHeader(creator=creator.identity.serialized, nonce=nonce).SerializeToString(),
    )
    tx_id = transaction_id(nonce, creator.identity.serialized)
    extension = proposal_pb2.ChaincodeHeaderExtension(
        chaincode_id=chaincode_pb2.ChaincodeID(name=content.chaincode)
    ).SerializeToString()
    timestamp = hook("timestamp", Timestamp(seconds=SECONDS + number, nanos=1).SerializeToString())
    channel_header = hook(
        "channel header",
        common_pb2.ChannelHeader(
            type=common_pb2.ENDORSER_TRANSACTION,
            channel_id=channel,
            tx_id=tx_id,
            extension=hook("extension", extension),
        ).SerializeToString()
        + _message(3, timestamp),
    )
    results = hook("results", _message(2, hook("namespace", _namespace(content, hook))))
    event = b""
    if content.event is not None:
        event = hook(
            "event",
            chaincode_event_pb2.ChaincodeEvent(
                chaincode_id=content.chaincode, tx_id=tx_id, event_name=ANCHORS, payload=content.event
            ).SerializeToString(),
        )
    chaincode_id = hook(
        "chaincode id",
        chaincode_pb2.ChaincodeID(name=content.chaincode, version="1.0").SerializeToString(),
    )
    response = hook("response", proposal_response_pb2.Response(status=200).SerializeToString())
    action = hook(
        "chaincode action",
        proposal_pb2.ChaincodeAction(results=results, events=event).SerializeToString()
        + _message(3, response)
        + _message(4, chaincode_id),
    )
    proposal = b"\x0a\x00"
    endorsed = hook(
        "response payload",
        proposal_response_pb2.ProposalResponsePayload(
            proposal_hash=committed_proposal_hash(channel_header, signature_header, proposal),
            extension=action,
        ).SerializeToString(),
    )
    endorsements = [
        proposal_response_pb2.Endorsement(
            endorser=each.identity.serialized, signature=each.sign(endorsed + each.identity.serialized)
        )
        for each in endorsers
    ]
    endorsed_action = hook(
        "endorsed action",
        transaction_pb2.ChaincodeEndorsedAction(
            proposal_response_payload=endorsed, endorsements=endorsements
        ).SerializeToString(),
    )
    payload = hook("action payload", _message(1, proposal) + _message(2, endorsed_action))
    one = hook(
        "action",
        transaction_pb2.TransactionAction(header=signature_header, payload=payload).SerializeToString(),
    )
    header = hook("header", _message(1, channel_header) + _message(2, signature_header))
    data = hook("transaction", _message(1, one))
    signed = hook("payload", _message(1, header) + _message(2, data))
    return hook(
        "envelope",
        common_pb2.Envelope(payload=signed, signature=creator.sign(signed)).SerializeToString(),
    )


def _namespace(content: Content, hook: Hook) -> bytes:
    writes = b"".join(
        _message(3, hook("write", kv_rwset_pb2.KVWrite(key=key, value=value).SerializeToString()))
        for key, value in content.writes
    )
    named = rwset_pb2.NsReadWriteSet(namespace=content.chaincode).SerializeToString()
    return bytes(named) + _message(2, hook("key-value set", writes))


def _message(number: int, data: bytes) -> bytes:
    size, length = len(data), []
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((number << 3 | 2, *length, size)) + data


@dataclass(frozen=True)
class EnvelopeCase:
    """A transaction some of whose messages are encoded oddly."""

    seed: int
    oddities: tuple[tuple[str, str], ...]  # message, oddity

    @property
    def name(self) -> str:
        return f"envelope {self.seed} ({'; '.join(f'{level}: {oddity}' for level, oddity in self.oddities)})"

    def build(self, number: int, cast: Mapping[str, Signer], channel: str) -> bytes:
        """Return the envelope with a number, which makes its id."""
        random = Random(f"envelope {self.seed}")
        odd = dict(self.oddities)

        def hook(level: str, data: bytes) -> bytes:
            name = odd.get(level)
            return data if name is None else ODDITIES[name](parts_of(data), random)

        endorsers = [cast[each] for each in ("peer1", "peer2", "peer3")]
        return envelope(_content(random, number), number, cast["client1"], endorsers, channel, hook)


def envelope_case(seed: int) -> EnvelopeCase:
    """Return the case of a seed: the first ones have every oddity alone in every message."""
    names = list(ODDITIES)
    if seed < len(LEVELS) * len(names):
        return EnvelopeCase(seed, ((LEVELS[seed % len(LEVELS)], names[seed // len(LEVELS)]),))
    random = Random(f"envelope {seed}")
    levels = random.sample(LEVELS, random.choice((1, 2, 3)))
    return EnvelopeCase(seed, tuple((level, random.choice(names)) for level in levels))


def _content(random: Random, number: int) -> Content:
    """Return what the contract writes, or something that it does not write."""
    time = SECONDS + number
    tick = (tick_key(epoch_of(time)), encode(time))
    return random.choice(
        (
            Content((tick,)),
            Content((tick,), b'{"entries":[]}'),
            Content((tick, (f"batch/{'ab' * 32}", b"odd")), b'{"entries":[]}'),
            Content(((f"status/{'ab' * 32}/batch", b"{}"),)),
            Content((("odd", b"value"), ("other", b"")), b"no JSON"),
        )
    )

"""Every validation code a transaction can get, each reached by a test that names it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fabric_protos.common import common_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    policy_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from tests.support.basic_chaincode import BasicChaincode
from tests.support.consortium import CHANNEL, Consortium, Member
from tests.support.memory_state import MemoryState
from tests.support.throwaway_ca import EXPIRED
from tests.support.transactions import Endorsed, endorse, sign_envelope, signed_proposal, transaction

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_core.fabric.proposal import build_transaction, parse_signed_proposal
from shirushi_core.fabric.rwset import NamespaceRwSet, RangeRead, Version, Write, encode
from shirushi_node.ledger.definitions import ChaincodeDefinition
from shirushi_node.ledger.examination import Authenticated, authenticate, examine
from shirushi_node.ledger.validation import Validator

PUT = NamespaceRwSet("basic", writes=(Write("key", b"value"),))


def policy(text: str) -> bytes:
    return parse_policy_text(text)


def application(text: str) -> bytes:
    message = policy_pb2.ApplicationPolicy()
    message.signature_policy.ParseFromString(parse_policy_text(text))
    return bytes(message.SerializeToString())


class Judge:
    """Validates blocks of a made-up ledger."""

    def __init__(self, consortium: Consortium) -> None:
        self.consortium = consortium
        self.state = MemoryState()
        self.committed: set[str] = set()
        self.definitions = {
            name: ChaincodeDefinition(name, BasicChaincode(), endorsement_policy=rule)
            for name, rule in {
                "basic": None,
                "other": None,
                "only_org5": application("OR('Org5MSP.peer')"),
            }.items()
        }

    def transaction(
        self, *rw_sets: NamespaceRwSet, endorsers: Sequence[SigningIdentity] | None = None, **options: Any
    ) -> Endorsed:
        options.setdefault("channel_id", CHANNEL)
        peers = self.consortium.peers() if endorsers is None else endorsers
        return transaction(self.consortium.client, peers, rw_sets, **options)

    def codes(self, *block: Endorsed | bytes | common_pb2.Envelope) -> list[str]:
        config = self.consortium.config
        examined = [examine(self.authenticated(each), config) for each in block]
        validator = Validator(config, self.definitions)
        decisions = validator.decide(7, examined, self.state, lambda tx_id: tx_id in self.committed)
        for decision in decisions:
            assert not decision.rw_sets or decision.code == transaction_pb2.VALID
        return [transaction_pb2.TxValidationCode.Name(decision.code) for decision in decisions]

    def code(self, one: Endorsed | bytes | common_pb2.Envelope) -> str:
        (code,) = self.codes(one)
        return code

    def authenticated(self, one: Endorsed | bytes | common_pb2.Envelope) -> Authenticated:
        if isinstance(one, Endorsed):
            one = one.data
        data = one if isinstance(one, bytes) else bytes(one.SerializeToString())
        return authenticate(data, self.consortium.config)


@pytest.fixture
def judge(consortium: Consortium) -> Judge:
    return Judge(consortium)


def altered(judge: Judge, header: dict[str, Any] | None = None, **parts: Any) -> common_pb2.Envelope:
    """Return a good transaction with headers or data replaced, signed again by its creator."""
    envelope = judge.transaction(PUT).envelope
    body = common_pb2.Payload.FromString(envelope.payload)
    channel_header = common_pb2.ChannelHeader.FromString(body.header.channel_header)
    for name, value in (header or {}).items():
        setattr(channel_header, name, value)
    body.header.channel_header = channel_header.SerializeToString()
    if "data" in parts:
        body.data = parts["data"]
    envelope.payload = body.SerializeToString()
    return sign_envelope(envelope, judge.consortium.client)


def test_valid(judge: Judge) -> None:
    assert judge.code(judge.transaction(PUT)) == "VALID"


def test_valid_config(judge: Judge) -> None:
    header = common_pb2.ChannelHeader(type=common_pb2.CONFIG, channel_id=CHANNEL)
    signature_header = common_pb2.SignatureHeader(
        creator=judge.consortium.client.identity.serialized, nonce=b"n"
    )
    payload = common_pb2.Payload(
        header=common_pb2.Header(
            channel_header=header.SerializeToString(), signature_header=signature_header.SerializeToString()
        )
    )
    envelope = common_pb2.Envelope(payload=payload.SerializeToString())
    assert judge.code(sign_envelope(envelope, judge.consortium.client)) == "VALID"


def test_valid_without_any_write(judge: Judge) -> None:
    assert judge.code(judge.transaction(NamespaceRwSet("basic", reads={"key": None}))) == "VALID"


def test_invalid_other_reason_for_bytes_that_are_no_envelope(judge: Judge) -> None:
    assert judge.code(b"\xff") == "INVALID_OTHER_REASON"


def test_bad_payload(judge: Judge) -> None:
    assert judge.code(common_pb2.Envelope(payload=b"\xff")) == "BAD_PAYLOAD"


def test_bad_common_header(judge: Judge) -> None:
    assert judge.code(b"") == "BAD_COMMON_HEADER"
    assert judge.code(altered(judge, {"epoch": 1})) == "BAD_COMMON_HEADER"


def test_bad_creator_signature(judge: Judge) -> None:
    one = judge.transaction(PUT).envelope
    one.signature = judge.transaction(PUT).envelope.signature
    assert judge.code(one) == "BAD_CREATOR_SIGNATURE"


def test_bad_creator_signature_for_a_stranger(judge: Judge) -> None:
    stranger = Member.named(9)
    assert (
        judge.code(transaction(stranger.client, judge.consortium.peers(), [PUT])) == "BAD_CREATOR_SIGNATURE"
    )


def test_an_expired_creator_is_not_the_committers_business(judge: Judge) -> None:
    expired = judge.consortium.members[0].ca.issue("client", not_after=EXPIRED)
    one = transaction(expired, judge.consortium.peers(), [PUT], channel_id=CHANNEL)
    assert judge.code(one) == "VALID"


def test_bad_proposal_txid(judge: Judge) -> None:
    assert judge.code(altered(judge, {"tx_id": "0" * 64})) == "BAD_PROPOSAL_TXID"


def test_invalid_endorser_transaction(judge: Judge) -> None:
    assert judge.code(altered(judge, data=b"")) == "INVALID_ENDORSER_TRANSACTION"
    assert judge.code(altered(judge, {"version": 9})) == "INVALID_ENDORSER_TRANSACTION"


def test_unsupported_tx_payload(judge: Judge) -> None:
    assert judge.code(altered(judge, {"type": common_pb2.CONFIG_UPDATE})) == "UNSUPPORTED_TX_PAYLOAD"


def test_target_chain_not_found(judge: Judge) -> None:
    assert judge.code(judge.transaction(PUT, channel_id="elsewhere")) == "TARGET_CHAIN_NOT_FOUND"


def test_duplicate_txid_in_the_ledger(judge: Judge) -> None:
    one = judge.transaction(PUT)
    judge.committed.add(one.tx_id)
    assert judge.code(one) == "DUPLICATE_TXID"


def test_duplicate_txid_in_the_block(judge: Judge) -> None:
    one = judge.transaction(PUT)
    assert judge.codes(one, one, one) == ["VALID", "DUPLICATE_TXID", "DUPLICATE_TXID"]


def test_an_invalid_transaction_does_not_use_up_its_id(judge: Judge) -> None:
    proposal = parse_signed_proposal(signed_proposal(judge.consortium.client, channel_id=CHANNEL))
    refused = judge.transaction(PUT, proposal=proposal, endorsers=judge.consortium.peers(1))
    good = judge.transaction(PUT, proposal=proposal)
    assert judge.codes(refused, good) == ["ENDORSEMENT_POLICY_FAILURE", "VALID"]


def with_extension(judge: Judge, extension: bytes) -> common_pb2.Envelope:
    """Return a transaction whose proposal has this chaincode header extension."""
    proposal = parse_signed_proposal(signed_proposal(judge.consortium.client, channel_id=CHANNEL))
    channel_header = common_pb2.ChannelHeader.FromString(proposal.channel_header_bytes)
    channel_header.extension = extension
    return judge.transaction(
        PUT, proposal=replace(proposal, channel_header_bytes=channel_header.SerializeToString())
    ).envelope


def test_bad_header_extension(judge: Judge) -> None:
    assert judge.code(with_extension(judge, b"\xff")) == "BAD_HEADER_EXTENSION"


def test_bad_header_extension_is_looked_for_after_duplicates(judge: Judge) -> None:
    one = with_extension(judge, b"\xff")
    header = judge.authenticated(one).header
    assert header is not None
    judge.committed.add(header.tx_id)
    assert judge.code(one) == "DUPLICATE_TXID"


def test_bad_response_payload(judge: Judge) -> None:
    one = judge.transaction(PUT)
    payload = (
        transaction_pb2.Transaction.FromString(common_pb2.Payload.FromString(one.envelope.payload).data)
        .actions[0]
        .payload
    )
    action = transaction_pb2.ChaincodeActionPayload.FromString(payload).action
    response = proposal_response_pb2.ProposalResponsePayload.FromString(action.proposal_response_payload)
    response.extension = b"\xff"
    envelope = build_transaction(one.proposal, response.SerializeToString(), action.endorsements)
    assert judge.code(sign_envelope(envelope, judge.consortium.client)) == "BAD_RESPONSE_PAYLOAD"


def test_bad_rwset(judge: Judge) -> None:
    assert judge.code(judge.transaction(results=b"\xff")) == "BAD_RWSET"


def test_invalid_other_reason_for_an_event_of_another_chaincode(judge: Judge) -> None:
    event = chaincode_event_pb2.ChaincodeEvent(chaincode_id="other").SerializeToString()
    assert judge.code(judge.transaction(PUT, event=event)) == "INVALID_OTHER_REASON"


def test_invalid_other_reason_without_a_chaincode(judge: Judge) -> None:
    empty = proposal_pb2.ChaincodeHeaderExtension().SerializeToString()
    assert judge.code(with_extension(judge, empty)) == "INVALID_OTHER_REASON"


def test_invalid_chaincode_that_the_channel_does_not_have(judge: Judge) -> None:
    assert judge.code(judge.transaction(chaincode="unknown")) == "INVALID_CHAINCODE"


def test_invalid_chaincode_whose_namespace_is_written(judge: Judge) -> None:
    stray = NamespaceRwSet("unknown", writes=(Write("k", b"v"),))
    assert judge.code(judge.transaction(PUT, stray)) == "INVALID_CHAINCODE"
    only_read = NamespaceRwSet("unknown", reads={"k": None})
    assert judge.code(judge.transaction(PUT, only_read)) == "VALID"


def test_invalid_chaincode_without_a_version(judge: Judge) -> None:
    assert judge.code(judge.transaction(PUT, version="")) == "INVALID_CHAINCODE"


def test_illegal_writeset(judge: Judge) -> None:
    assert judge.code(judge.transaction(results=encode([PUT]) * 2)) == "ILLEGAL_WRITESET"


def test_invalid_writeset(judge: Judge) -> None:
    one = judge.transaction(NamespaceRwSet("basic", writes=(Write("k" * 600, b"v"),)))
    assert judge.code(one) == "INVALID_WRITESET"


def test_an_empty_key_is_one_as_on_fabric(judge: Judge) -> None:
    assert judge.code(judge.transaction(NamespaceRwSet("basic", writes=(Write("", b"v"),)))) == "VALID"


def test_invalid_writeset_with_private_data_collections(judge: Judge) -> None:
    namespace = rwset_pb2.NsReadWriteSet(namespace="basic")
    namespace.collection_hashed_rwset.add(collection_name="secrets")
    results = rwset_pb2.TxReadWriteSet(ns_rwset=[namespace]).SerializeToString()
    assert judge.code(judge.transaction(results=results)) == "INVALID_WRITESET"


def test_endorsement_policy_failure_with_too_few_members(judge: Judge) -> None:
    peers = judge.consortium.peers
    assert judge.code(judge.transaction(PUT, endorsers=peers(1, 2))) == "ENDORSEMENT_POLICY_FAILURE"
    assert judge.code(judge.transaction(PUT, endorsers=peers(3, 4, 5))) == "VALID"


def test_endorsement_policy_failure_with_one_member_thrice(judge: Judge) -> None:
    (peer,) = judge.consortium.peers(1)
    again = judge.consortium.members[0].ca.issue("peer", name="second peer")
    for endorsers in ([peer] * 3, [peer, again, again]):
        assert judge.code(judge.transaction(PUT, endorsers=endorsers)) == "ENDORSEMENT_POLICY_FAILURE"


def test_endorsement_policy_failure_with_a_bad_signature(judge: Judge) -> None:
    first, second, third = judge.consortium.peers()
    forger = SigningIdentity(third.identity, ec.generate_private_key(ec.SECP256R1()))
    one = judge.transaction(PUT, endorsers=[first, second, forger])
    assert judge.code(one) == "ENDORSEMENT_POLICY_FAILURE"


def test_endorsement_policy_failure_with_endorsers_who_are_no_peers(judge: Judge) -> None:
    clients = [member.client for member in judge.consortium.members]
    assert judge.code(judge.transaction(PUT, endorsers=clients)) == "ENDORSEMENT_POLICY_FAILURE"


def test_endorsements_count_by_distinct_endorser_however_many_there_are(judge: Judge) -> None:
    one = judge.transaction(PUT)
    first, *_ = judge.consortium.peers()
    again = [endorse(one.response_payload, first)] * 300

    def code(peers: Sequence[SigningIdentity]) -> str:
        endorsements = [*again, *(endorse(one.response_payload, peer) for peer in peers)]
        envelope = build_transaction(one.proposal, one.response_payload, endorsements)
        return judge.code(sign_envelope(envelope, judge.consortium.client))

    assert code([]) == "ENDORSEMENT_POLICY_FAILURE"
    assert code(judge.consortium.peers()) == "VALID"


def test_endorsement_policy_failure_of_a_chaincode_that_was_called(judge: Judge) -> None:
    theirs = NamespaceRwSet("only_org5", writes=(Write("k", b"v"),))
    peers = judge.consortium.peers
    assert (
        judge.code(judge.transaction(PUT, theirs, endorsers=peers(1, 2, 3))) == "ENDORSEMENT_POLICY_FAILURE"
    )
    assert judge.code(judge.transaction(PUT, theirs, endorsers=peers(1, 2, 5))) == "VALID"


def test_endorsement_policy_failure_without_writes_counts_for_the_invoked_chaincode(judge: Judge) -> None:
    read = NamespaceRwSet("basic", reads={"k": None})
    one = judge.transaction(read, endorsers=judge.consortium.peers(1))
    assert judge.code(one) == "ENDORSEMENT_POLICY_FAILURE"


def guard(judge: Judge, key: str, text: str | bytes) -> None:
    rule = text if isinstance(text, bytes) else policy(text)
    judge.state.put("basic", key, b"guarded", Version(1, 0), {"VALIDATION_PARAMETER": rule})


def test_a_keys_own_policy_replaces_the_chaincodes(judge: Judge) -> None:
    guard(judge, "key", "OR('Org4MSP.peer')")
    peers = judge.consortium.peers
    assert judge.code(judge.transaction(PUT, endorsers=peers(4))) == "VALID"
    assert judge.code(judge.transaction(PUT, endorsers=peers(1, 2, 3))) == "ENDORSEMENT_POLICY_FAILURE"
    changes_policy = NamespaceRwSet("basic", metadata_writes={"key": None})
    assert judge.code(judge.transaction(changes_policy, endorsers=peers(4))) == "VALID"
    assert (
        judge.code(judge.transaction(changes_policy, endorsers=peers(1, 2, 3)))
        == "ENDORSEMENT_POLICY_FAILURE"
    )


def test_keys_with_and_without_a_policy_need_both(judge: Judge) -> None:
    guard(judge, "key", "OR('Org4MSP.peer')")
    both = NamespaceRwSet("basic", writes=(Write("free", b"1"), Write("key", b"2")))
    peers = judge.consortium.peers
    assert judge.code(judge.transaction(both, endorsers=peers(4))) == "ENDORSEMENT_POLICY_FAILURE"
    assert judge.code(judge.transaction(both, endorsers=peers(1, 2, 3))) == "ENDORSEMENT_POLICY_FAILURE"
    assert judge.code(judge.transaction(both, endorsers=peers(1, 2, 4))) == "VALID"


def test_a_key_whose_policy_is_no_policy_cannot_be_written(judge: Judge) -> None:
    guard(judge, "key", b"\xff")
    assert judge.code(judge.transaction(PUT)) == "ENDORSEMENT_POLICY_FAILURE"


def test_a_policy_changed_earlier_in_the_block_blocks_the_key(judge: Judge) -> None:
    rule = {"VALIDATION_PARAMETER": policy("OR('Org4MSP.peer')")}
    set_policy = judge.transaction(NamespaceRwSet("basic", metadata_writes={"key": rule}))
    elsewhere = NamespaceRwSet("basic", writes=(Write("elsewhere", b"1"),))
    assert judge.codes(set_policy, judge.transaction(PUT), judge.transaction(elsewhere)) == [
        "VALID",
        "ENDORSEMENT_POLICY_FAILURE",
        "VALID",
    ]


def test_a_policy_change_that_failed_blocks_nothing(judge: Judge) -> None:
    rule = {"VALIDATION_PARAMETER": policy("OR('Org4MSP.peer')")}
    change = NamespaceRwSet("basic", metadata_writes={"key": rule})
    refused = judge.transaction(change, endorsers=judge.consortium.peers(1))
    assert judge.codes(refused, judge.transaction(PUT)) == ["ENDORSEMENT_POLICY_FAILURE", "VALID"]


def test_a_policy_change_whose_reads_conflict_blocks_the_key_all_the_same(judge: Judge) -> None:
    rule = {"VALIDATION_PARAMETER": policy("OR('Org4MSP.peer')")}
    stale = NamespaceRwSet("basic", reads={"x": Version(1, 1)}, metadata_writes={"key": rule})
    assert judge.codes(judge.transaction(stale), judge.transaction(PUT)) == [
        "MVCC_READ_CONFLICT",
        "ENDORSEMENT_POLICY_FAILURE",
    ]


def test_mvcc_read_conflict_with_the_ledger(judge: Judge) -> None:
    judge.state.put("basic", "key", b"1", Version(3, 1))
    for version, code in (
        (Version(3, 1), "VALID"),
        (Version(3, 0), "MVCC_READ_CONFLICT"),
        (None, "MVCC_READ_CONFLICT"),
    ):
        assert judge.code(judge.transaction(NamespaceRwSet("basic", reads={"key": version}))) == code


def test_mvcc_read_conflict_in_the_block(judge: Judge) -> None:
    bump = NamespaceRwSet("basic", reads={"n": None}, writes=(Write("n", b"1"),))
    assert judge.codes(judge.transaction(bump), judge.transaction(bump)) == ["VALID", "MVCC_READ_CONFLICT"]


def test_an_invalid_transaction_conflicts_with_nothing(judge: Judge) -> None:
    bump = NamespaceRwSet("basic", reads={"n": None}, writes=(Write("n", b"1"),))
    refused = judge.transaction(bump, endorsers=judge.consortium.peers(1))
    assert judge.codes(refused, judge.transaction(bump)) == ["ENDORSEMENT_POLICY_FAILURE", "VALID"]


def test_phantom_read_conflict(judge: Judge) -> None:
    count = NamespaceRwSet("basic", range_reads=(RangeRead("a", "z", True, ()),))
    assert judge.codes(judge.transaction(count), judge.transaction(PUT), judge.transaction(count)) == [
        "VALID",
        "VALID",
        "PHANTOM_READ_CONFLICT",
    ]


def test_a_definition_with_a_malformed_policy_is_named(consortium: Consortium) -> None:
    definition = ChaincodeDefinition("odd", BasicChaincode(), endorsement_policy=b"\xff")
    with pytest.raises(InvalidInputError, match="endorsement policy of chaincode odd"):
        Validator(consortium.config, {"odd": definition}).check_definitions()

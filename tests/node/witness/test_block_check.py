"""What a witness notices about its peer's blocks, and that it is only said: each defect by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from tests.support.anchored_chain import AnchoredChain
from tests.support.derived_chain import Followed, committed, follow
from tests.support.transactions import sign_envelope, transaction

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import data_hash, new_block, sign_block
from shirushi_core.fabric.rwset import NamespaceRwSet, Write
from shirushi_node.witness import block_check
from shirushi_node.witness.alarms import Alarm, AlarmKind
from shirushi_node.witness.block_check import check_block, read_configuration
from shirushi_node.witness.records import Place
from shirushi_node.witness.store import ledger_of


def alarms_about(chain: AnchoredChain, number: int, spoil: Callable[[Any], object]) -> list[Alarm]:
    """Spoil a block, and return what is said about it; unspoilt nothing is."""
    at = follow(chain.blocks[: number + 1])[-1]
    assert at.alarms == ()
    block = chain.block(number)
    spoil(block)
    alarms = check_block(committed(block), at.before, at.configuration)
    assert all(alarm.block == number for alarm in alarms)
    return list(alarms)


def alarmed(chain: AnchoredChain, number: int, spoil: Callable[[Any], object]) -> str:
    return " | ".join(f"{alarm.kind}: {alarm.sentence}" for alarm in alarms_about(chain, number, spoil))


def signed_again(chain: AnchoredChain, block: Any, *orderers: int, last_config: int = 0) -> None:
    """Have orderers sign what a block is now."""
    signing = [chain.consortium.orderers[n - 1] for n in orderers]
    sign_block(
        block,
        last_config=last_config,
        orderers=[(each.consenter_id, each.identity) for each in signing],
        nonces=[bytes(24)] * len(signing),
    )


def test_the_embedded_ledgers_blocks_follow_each_other(issued: AnchoredChain) -> None:
    followed = follow(issued.blocks)
    last = followed[-1].after
    assert [each.alarms for each in followed] == [()] * len(followed)
    assert last.next_block == issued.store.height
    assert last.header_hash == issued.store.last_header_hash


def test_a_damaged_genesis_block_raises_an_alarm(chain: AnchoredChain) -> None:
    block = chain.block(0)
    block.data.data[0] += b"\0"
    with pytest.raises(InvalidInputError, match="damaged"):
        ledger_of(committed(block))


def test_a_block_on_another_chain_raises_an_alarm(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.header.previous_hash = bytes(32)

    assert "previous block's hash" in alarmed(issued, 4, spoil)


def test_a_transaction_that_was_added_is_found_by_the_data_hash(issued: AnchoredChain) -> None:
    assert "data hash" in alarmed(issued, 4, lambda block: block.data.data.append(block.data.data[0]))


def test_a_header_that_was_changed_is_not_what_the_orderers_signed(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.data.data.append(block.data.data[0])
        block.header.data_hash = data_hash(block.data.data)

    assert "signed by 0 of 5" in alarmed(issued, 4, spoil)


def test_fewer_orderers_than_the_quorum_raise_an_alarm(issued: AnchoredChain) -> None:
    assert "signed by 3 of 5" in alarmed(issued, 4, lambda block: signed_again(issued, block, 1, 2, 3))


def test_one_orderer_that_signs_four_times_counts_once(issued: AnchoredChain) -> None:
    assert "signed by 1 of 5" in alarmed(issued, 4, lambda block: signed_again(issued, block, 1, 1, 1, 1))


def test_another_newest_config_block_raises_an_alarm(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        signed_again(issued, block, 1, 2, 3, 4, last_config=2)

    assert "expected block 0 as the newest config block" in alarmed(issued, 4, spoil)


def test_missing_validation_codes_raise_an_alarm(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = b"\0"

    assert "validation codes" in alarmed(issued, 4, spoil)


@pytest.mark.parametrize("code", [200, 254])
def test_unknown_validation_codes_and_not_validated_raise_an_alarm(issued: AnchoredChain, code: int) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = bytes((code, 0))

    assert "expected a validation code for each transaction" in alarmed(issued, 4, spoil)


def test_a_transaction_made_invalid_is_found_by_the_commit_hash(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = bytes((11, 0))

    assert "expected the commit hash" in alarmed(issued, 4, spoil)


async def test_an_invalid_transaction_made_valid_is_found_by_the_commit_hash(issued: AnchoredChain) -> None:
    made = await issued.transaction(issued.city.submitter, "issue", issued.city.issuance(9))
    issued.append([made], [11])

    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = bytes((0,))

    assert "expected the commit hash" in alarmed(issued, issued.store.height - 1, spoil)


def test_a_commit_hash_that_is_none_raises_an_alarm(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.COMMIT_HASH] = b""

    assert "commit_hash: expected" in alarmed(issued, 4, spoil)


def test_bytes_that_are_no_transaction_raise_an_alarm_if_they_are_called_valid(chain: AnchoredChain) -> None:
    chain.append([(b"\xff\xff", [])], [0])
    (alarm,) = follow(chain.blocks)[-1].alarms
    assert alarm.kind is AlarmKind.NOT_CHECKED


def test_bytes_that_are_no_transaction_may_stand_there_as_invalid(chain: AnchoredChain) -> None:
    chain.append([(b"\xff\xff", [])], [255])
    assert follow(chain.blocks)[-1].alarms == ()


def test_a_commit_hash_that_needs_the_state_is_taken_over_and_the_next_one_computed_again(
    chain: AnchoredChain,
) -> None:
    consortium = chain.consortium

    def written(rw_set: NamespaceRwSet) -> Any:
        made = transaction(consortium.client, consortium.peers(), [rw_set], channel_id="shirushi-test")
        return made, [rw_set]

    chain.append([written(NamespaceRwSet("basic", writes=[Write("key", b"value")]))])
    chain.append([written(NamespaceRwSet("basic", metadata_writes={"key": {"VALIDATION_PARAMETER": b"x"}}))])
    chain.append([written(NamespaceRwSet("basic", writes=[Write("key", None)]))])

    def spoil(block: Any) -> None:
        wrong = common_pb2.Metadata(value=bytes(32))
        block.metadata.metadata[common_pb2.COMMIT_HASH] = wrong.SerializeToString()

    assert "expected the commit hash" in alarmed(chain, 3, spoil)


def config_block(chain: AnchoredChain, before: Place, sequence: int, *orderers: int) -> Any:
    """Make a config block with the consortium's configuration again, under another sequence."""
    envelope = common_pb2.Envelope.FromString(chain.block(0).data.data[0])
    payload = common_pb2.Payload.FromString(envelope.payload)
    from fabric_protos.common import configtx_pb2

    config = configtx_pb2.ConfigEnvelope.FromString(payload.data)
    config.config.sequence = sequence
    payload.data = config.SerializeToString()
    signature_header = common_pb2.SignatureHeader(creator=b"an orderer", nonce=bytes(24))
    payload.header.signature_header = signature_header.SerializeToString()
    data = common_pb2.Envelope(payload=payload.SerializeToString(), signature=b"s").SerializeToString()
    block = new_block(before.next_block, before.header_hash, [data])
    signed_again(chain, block, *orderers, last_config=before.next_block)
    block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = b"\0"
    from shirushi_core.fabric.block import commit_hash

    digest = commit_hash(before.commit_hash, b"\0", b"")
    block.metadata.metadata[common_pb2.COMMIT_HASH] = common_pb2.Metadata(value=digest).SerializeToString()
    return block


def after_config_block(chain: AnchoredChain, sequence: int, *orderers: int) -> Followed:
    blocks = chain.blocks
    return follow([*blocks, config_block(chain, follow(blocks)[-1].after, sequence, *orderers)])[-1]


def test_a_config_block_signed_by_the_old_quorum_brings_its_configuration(issued: AnchoredChain) -> None:
    last = after_config_block(issued, 1, 1, 2, 3, 4)
    assert last.alarms == ()
    assert last.derived.brings_config
    assert last.after.config_block == last.committed.number
    config = read_configuration(last.committed.data).config
    assert config is not None
    assert config.sequence == 1


def test_a_config_block_without_the_old_quorum_raises_an_alarm(issued: AnchoredChain) -> None:
    (alarm,) = after_config_block(issued, 1, 1, 2).alarms
    assert (alarm.kind, "signed by 2 of 5" in alarm.sentence) == (AlarmKind.ORDERERS, True)


def test_a_configuration_that_is_not_the_next_one_raises_an_alarm(issued: AnchoredChain) -> None:
    (alarm,) = after_config_block(issued, 2, 1, 2, 3, 4).alarms
    assert (alarm.kind, "expected configuration 1" in alarm.sentence) == (AlarmKind.CONFIGURATION, True)


def test_without_a_readable_configuration_the_other_checks_are_made(issued: AnchoredChain) -> None:
    at = follow(issued.blocks)[3]
    unreadable = read_configuration(b"\xff")
    assert unreadable.config is None
    assert check_block(at.committed, at.before, unreadable) == ()
    elsewhere = replace(at.before, header_hash=bytes(32))
    (alarm,) = check_block(at.committed, elsewhere, unreadable)
    assert alarm.kind is AlarmKind.HASH_CHAIN


@pytest.mark.parametrize("error", [MemoryError("none left"), RecursionError(), BaseException("a panic")])
def test_whatever_happens_in_a_check_is_an_alarm_that_it_was_not_made(
    issued: AnchoredChain, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    at = follow(issued.blocks)[3]

    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(block_check, "verify_block_signatures", fails)
    (alarm,) = check_block(at.committed, at.before, at.configuration)
    assert (alarm.kind, type(error).__name__ in alarm.sentence) == (AlarmKind.NOT_CHECKED, True)


async def endorsed_by(chain: AnchoredChain, *endorsers: int) -> list[Alarm]:
    made = await chain.transaction(chain.city.submitter, "issue", chain.city.issuance(9), endorsers=endorsers)
    chain.append([made])
    return list(follow(chain.blocks)[-1].alarms)


async def test_endorsements_by_two_members_of_five_raise_an_alarm(issued: AnchoredChain) -> None:
    (alarm,) = await endorsed_by(issued, 1, 2)
    assert alarm.kind is AlarmKind.ENDORSEMENTS
    assert "expected endorsements of 3 of 5 members, found 2" in alarm.sentence


async def test_three_endorsements_by_one_member_count_once(issued: AnchoredChain) -> None:
    (alarm,) = await endorsed_by(issued, 1, 1, 1)
    assert "found 1" in alarm.sentence


async def test_more_endorsements_than_anybody_needs_are_counted_by_distinct_endorser(
    issued: AnchoredChain,
) -> None:
    assert await endorsed_by(issued, *[1] * 300, 2, 3) == []


async def test_a_creators_signature_that_does_not_hold_raises_an_alarm(issued: AnchoredChain) -> None:
    made, rw_sets = await issued.transaction(issued.city.submitter, "issue", issued.city.issuance(9))
    sign_envelope(made.envelope, issued.consortium.members[1].client)
    issued.append([(made, rw_sets)])
    (alarm,) = follow(issued.blocks)[-1].alarms
    assert (alarm.kind, "signature is invalid" in alarm.sentence) == (AlarmKind.CREATOR, True)

"""What a witness takes from its peer as a block, and what it does not: each defect by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fabric_protos.common import common_pb2
from tests.support.anchored_chain import AnchoredChain, AnchoredConsortium
from tests.support.transactions import transaction

from shirushi_core.fabric.block import data_hash, header_hash, new_block, sign_block
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.fabric.rwset import NamespaceRwSet, Write
from shirushi_node.witness.block_check import ChainState, CheckedBlock, check_block, check_genesis
from shirushi_node.witness.errors import BlockCheckError


def follow(blocks: list[Any]) -> list[CheckedBlock]:
    """Check blocks one after the other, from the genesis block on."""
    done = [check_genesis(blocks[0], blocks[0])]
    for block in blocks[1:]:
        done.append(check_block(done[-1].after, block))
    return done


def state_before(chain: AnchoredChain, number: int) -> ChainState:
    return follow(chain.blocks[:number])[-1].after


def refused(chain: AnchoredChain, number: int, spoil: Callable[[Any], None]) -> str:
    """Spoil a block, and return why it is refused; unspoilt it is taken."""
    state, block = state_before(chain, number), chain.block(number)
    check_block(state, block)
    spoil(block)
    with pytest.raises(BlockCheckError) as caught:
        check_block(state, block)
    assert f"block {number}" in str(caught.value)
    return str(caught.value)


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
    last = follow(issued.blocks)[-1].after
    assert last.next_number == issued.store.height
    assert last.header_hash == issued.store.last_header_hash


def test_another_genesis_block_is_refused(chain: AnchoredChain) -> None:
    with pytest.raises(BlockCheckError, match="not the genesis block of this ledger"):
        check_genesis(AnchoredConsortium().genesis, chain.block(0))


def test_a_damaged_genesis_block_is_refused(chain: AnchoredChain) -> None:
    block = chain.block(0)
    block.data.data[0] += b"\0"
    with pytest.raises(BlockCheckError, match="damaged"):
        check_genesis(block, block)


def test_a_block_that_comes_too_early_is_refused(issued: AnchoredChain) -> None:
    with pytest.raises(BlockCheckError, match="expected number 2, found 3"):
        check_block(state_before(issued, 2), issued.block(3))


def test_a_block_on_another_chain_is_refused(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.header.previous_hash = bytes(32)

    assert "previous block's hash" in refused(issued, 4, spoil)


def test_a_transaction_that_was_added_is_found_by_the_data_hash(issued: AnchoredChain) -> None:
    assert "data hash" in refused(issued, 4, lambda block: block.data.data.append(block.data.data[0]))


def test_a_header_that_was_changed_is_not_what_the_orderers_signed(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.data.data.append(block.data.data[0])
        block.header.data_hash = data_hash(block.data.data)

    assert "signed by 0 of 5" in refused(issued, 4, spoil)


def test_fewer_orderers_than_the_quorum_are_refused(issued: AnchoredChain) -> None:
    assert "signed by 3 of 5" in refused(issued, 4, lambda block: signed_again(issued, block, 1, 2, 3))


def test_one_orderer_that_signs_four_times_counts_once(issued: AnchoredChain) -> None:
    assert "signed by 1 of 5" in refused(issued, 4, lambda block: signed_again(issued, block, 1, 1, 1, 1))


def test_another_newest_config_block_is_refused(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        signed_again(issued, block, 1, 2, 3, 4, last_config=2)

    assert "expected block 0 as the newest config block" in refused(issued, 4, spoil)


def test_missing_validation_codes_are_refused(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = b"\0"

    assert "validation codes" in refused(issued, 4, spoil)


@pytest.mark.parametrize("code", [200, 254])
def test_unknown_validation_codes_and_not_validated_are_refused(issued: AnchoredChain, code: int) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = bytes((code, 0))

    assert "expected a validation code for each transaction" in refused(issued, 4, spoil)


def test_a_transaction_made_invalid_is_found_by_the_commit_hash(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = bytes((11, 0))

    assert "expected the commit hash" in refused(issued, 4, spoil)


async def test_an_invalid_transaction_made_valid_is_found_by_the_commit_hash(issued: AnchoredChain) -> None:
    made = await issued.transaction(issued.city.submitter, "issue", issued.city.issuance(9))
    issued.append([made], [11])

    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = bytes((0,))

    assert "expected the commit hash" in refused(issued, issued.store.height - 1, spoil)


def test_a_commit_hash_that_is_none_is_refused(issued: AnchoredChain) -> None:
    def spoil(block: Any) -> None:
        block.metadata.metadata[common_pb2.COMMIT_HASH] = b""

    assert "commit hash of 32 bytes" in refused(issued, 4, spoil)


def test_bytes_that_are_no_transaction_are_refused_if_they_are_called_valid(chain: AnchoredChain) -> None:
    chain.append([(b"\xff\xff", [])], [0])
    with pytest.raises(BlockCheckError, match="transaction 0 is marked valid and is malformed"):
        follow(chain.blocks)


def test_bytes_that_are_no_transaction_may_stand_there_as_invalid(chain: AnchoredChain) -> None:
    chain.append([(b"\xff\xff", [])], [255])
    assert follow(chain.blocks)[-1].transactions == ()


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
    follow(chain.blocks)
    block = chain.block(3)
    block.metadata.metadata[common_pb2.COMMIT_HASH] = common_pb2.Metadata(value=bytes(32)).SerializeToString()
    with pytest.raises(BlockCheckError, match="expected the commit hash"):
        check_block(state_before(chain, 3), block)


def config_block(chain: AnchoredChain, before: ChainState, sequence: int, *orderers: int) -> Any:
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
    block = new_block(before.next_number, before.header_hash, [data])
    signed_again(chain, block, *orderers, last_config=before.next_number)
    block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = b"\0"
    from shirushi_core.fabric.block import commit_hash

    digest = commit_hash(before.commit_hash, b"\0", b"")
    block.metadata.metadata[common_pb2.COMMIT_HASH] = common_pb2.Metadata(value=digest).SerializeToString()
    return block


def test_a_config_block_signed_by_the_old_quorum_brings_its_configuration(issued: AnchoredChain) -> None:
    before = follow(issued.blocks)[-1].after
    block = config_block(issued, before, 1, 1, 2, 3, 4)
    checked = check_block(before, block)
    assert checked.config.sequence == 0
    assert checked.after.config.sequence == 1
    assert checked.after.config_number == block.header.number
    assert from_config_block(common_pb2.Block.FromString(checked.config_block or b"")).sequence == 1
    assert checked.after.header_hash == header_hash(block.header)


def test_a_config_block_without_the_old_quorum_is_refused(issued: AnchoredChain) -> None:
    before = follow(issued.blocks)[-1].after
    with pytest.raises(BlockCheckError, match="signed by 2 of 5"):
        check_block(before, config_block(issued, before, 1, 1, 2))


def test_a_configuration_that_is_not_the_next_one_is_refused(issued: AnchoredChain) -> None:
    before = follow(issued.blocks)[-1].after
    with pytest.raises(BlockCheckError, match="expected configuration 1"):
        check_block(before, config_block(issued, before, 2, 1, 2, 3, 4))

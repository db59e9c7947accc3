from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fabric_protos.common import common_pb2
from hypothesis import given
from hypothesis import strategies as st
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_core.fabric.block import (
    BlockError,
    Consenter,
    bft_quorum,
    block_commit_hash,
    commit_hash,
    data_hash,
    header_bytes,
    header_hash,
    last_config_index,
    new_block,
    sign_block,
    validation_codes,
    verify_block_signatures,
)
from shirushi_core.fabric.identity import SigningIdentity

NONCES = [bytes([number]) * 24 for number in range(5)]


@pytest.fixture(scope="module")
def orderers() -> list[tuple[int, SigningIdentity]]:
    return [
        (number, ThrowawayCa.root(f"ca{number}", f"Org{number}MSP").issue("orderer"))
        for number in range(1, 6)
    ]


def consenters(orderers: Sequence[tuple[int, SigningIdentity]]) -> list[Consenter]:
    return [
        Consenter(number, each.identity.msp_id, each.identity.certificate_pem, "127.0.0.1", 7050)
        for number, each in orderers
    ]


def signed_block(orderers: Sequence[tuple[int, SigningIdentity]], last_config: int = 0) -> common_pb2.Block:
    block = new_block(7, b"\x01" * 32, [b"one", b"two"])
    sign_block(block, last_config=last_config, orderers=orderers, nonces=NONCES[: len(orderers)])
    return block


def test_header_is_hashed_as_der() -> None:
    header = common_pb2.BlockHeader(number=1, previous_hash=b"\xaa" * 2, data_hash=b"\xbb")
    assert header_bytes(header) == bytes.fromhex("300a 020101 0402aaaa 0401bb")
    assert header_hash(header) == hashlib.sha256(header_bytes(header)).digest()


@pytest.mark.parametrize(
    ("number", "der"),
    [(0, "020100"), (127, "02017f"), (128, "02020080"), (2**64 - 1, "020900ffffffffffffffff")],
)
def test_block_numbers_are_der_integers_that_are_never_negative(number: int, der: str) -> None:
    assert header_bytes(common_pb2.BlockHeader(number=number))[2:].startswith(bytes.fromhex(der))


def test_long_hashes_get_long_der_lengths() -> None:
    header = common_pb2.BlockHeader(previous_hash=b"p" * 200, data_hash=b"d" * 200)
    assert header_bytes(header)[:3] == bytes.fromhex("308199")[:1] + b"\x82\x01"


def test_data_hash_is_flat() -> None:
    assert data_hash([b"one", b"two"]) == hashlib.sha256(b"onetwo").digest()


def test_new_block_has_its_hashes_and_five_empty_metadata_slots() -> None:
    block = new_block(3, b"before", [b"one"])
    assert block.header.number == 3
    assert block.header.previous_hash == b"before"
    assert block.header.data_hash == data_hash([b"one"])
    assert list(block.metadata.metadata) == [b""] * 5


def test_a_quorum_of_signatures_holds(orderers: list[tuple[int, SigningIdentity]]) -> None:
    block = signed_block(orderers[:4], last_config=5)
    assert verify_block_signatures(block, consenters(orderers), 4) == [1, 2, 3, 4]
    assert last_config_index(block) == 5
    last_config = common_pb2.Metadata.FromString(block.metadata.metadata[common_pb2.LAST_CONFIG])
    assert common_pb2.LastConfig.FromString(last_config.value).index == 5


def test_too_few_signatures_are_refused(orderers: list[tuple[int, SigningIdentity]]) -> None:
    with pytest.raises(BlockError, match=r"block 7 is signed by 3 of 5 consenters; 4 are needed"):
        verify_block_signatures(signed_block(orderers[:3]), consenters(orderers), 4)


def test_one_consenter_counts_once_however_often_it_signs(
    orderers: list[tuple[int, SigningIdentity]],
) -> None:
    with pytest.raises(BlockError, match="signed by 1 of 5"):
        verify_block_signatures(signed_block([orderers[0]] * 5), consenters(orderers), 4)


def test_one_identity_under_two_ids_counts_once(orderers: list[tuple[int, SigningIdentity]]) -> None:
    twice = [orderers[0], (9, orderers[0][1])]
    assert verify_block_signatures(signed_block(twice), consenters([*orderers, twice[1]]), 1) == [1]


def test_a_changed_header_voids_the_signatures(orderers: list[tuple[int, SigningIdentity]]) -> None:
    block = signed_block(orderers)
    block.header.previous_hash = b"\x02" * 32
    with pytest.raises(BlockError, match="signed by 0"):
        verify_block_signatures(block, consenters(orderers), 4)


def test_a_signature_by_another_key_counts_for_nothing(orderers: list[tuple[int, SigningIdentity]]) -> None:
    forger = SigningIdentity(orderers[0][1].identity, ec.generate_private_key(ec.SECP256R1()))
    block = signed_block([(1, forger), *orderers[1:4]])
    assert verify_block_signatures(block, consenters(orderers), 3) == [2, 3, 4]


def test_unknown_consenters_count_for_nothing(orderers: list[tuple[int, SigningIdentity]]) -> None:
    assert verify_block_signatures(signed_block(orderers), consenters(orderers[:2]), 2) == [1, 2]


def test_signing_needs_one_nonce_each(orderers: list[tuple[int, SigningIdentity]]) -> None:
    with pytest.raises(BlockError, match="2 orderers sign the block, but there are 1 nonces"):
        sign_block(new_block(1, b"", []), last_config=0, orderers=orderers[:2], nonces=NONCES[:1])


@given(st.data())
def test_damaged_signature_metadata_gives_a_typed_error_or_a_lower_count(data: st.DataObject) -> None:
    metadata = METADATA
    position = data.draw(st.integers(0, len(metadata) - 1))
    block = new_block(7, b"\x01" * 32, [b"one", b"two"])
    block.metadata.metadata[common_pb2.SIGNATURES] = (
        metadata[:position] + data.draw(st.binary(max_size=3)) + metadata[position + 1 :]
    )
    with contextlib.suppress(BlockError):
        assert verify_block_signatures(block, consenters(TWO_ORDERERS), 0) in ([], [1], [2], [1, 2])


TWO_ORDERERS = [(number, ThrowawayCa.root(f"ca{number}").issue("orderer")) for number in (1, 2)]
METADATA = signed_block(TWO_ORDERERS).metadata.metadata[common_pb2.SIGNATURES]


@pytest.mark.parametrize(("n", "quorum"), [(1, 1), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (10, 7)])
def test_bft_quorum(n: int, quorum: int) -> None:
    assert bft_quorum(n) == quorum


def test_validation_codes_are_read_from_the_filter() -> None:
    block = new_block(1, b"", [b"one", b"two"])
    block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = b"\x00\x0b"
    assert validation_codes(block) == [0, 11]


def test_a_filter_of_another_length_is_refused() -> None:
    block = new_block(1, b"", [b"one", b"two"])
    block.metadata.metadata[common_pb2.TRANSACTIONS_FILTER] = b"\x00"
    with pytest.raises(BlockError, match="2 transactions and 1 validation codes"):
        validation_codes(block)


def test_a_block_without_metadata_is_refused() -> None:
    with pytest.raises(BlockError, match="no TRANSACTIONS_FILTER metadata"):
        validation_codes(common_pb2.Block())


def test_commit_hash_chains_length_filter_updates_and_previous_hash() -> None:
    expected = hashlib.sha256(b"\xac\x02" + b"\x00" * 300 + b"updates" + b"previous").digest()
    assert commit_hash(b"previous", b"\x00" * 300, b"updates") == expected


def test_commit_hash_is_read_back_from_a_block() -> None:
    block = new_block(1, b"", [])
    assert block_commit_hash(block) == b""
    block.metadata.metadata[common_pb2.COMMIT_HASH] = common_pb2.Metadata(value=b"hash").SerializeToString()
    assert block_commit_hash(block) == b"hash"

"""The Merkle tree against published vectors, another implementation, and every forgery we could think of."""

from __future__ import annotations

from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.proofs.merkle import (
    EMPTY_ROOT,
    ProofError,
    consistency_path,
    inclusion_path,
    root,
    root_and_paths,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves, roots and proofs that Certificate Transparency implementations share.
CT_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
NODE_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
NODE_2_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_4_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_4_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
NODE_6_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
CT_INCLUSION = [
    (0, 1, []),
    (0, 8, [NODE_1, NODE_2_3, NODE_4_7]),
    (5, 8, [NODE_4, NODE_6_7, CT_ROOTS[3]]),
    (2, 3, [CT_ROOTS[1]]),
    (1, 5, [CT_ROOTS[0], NODE_2_3, NODE_4]),
]
CT_CONSISTENCY = [
    (1, 1, []),
    (1, 8, [NODE_1, NODE_2_3, NODE_4_7]),
    (6, 8, [NODE_4_5, NODE_6_7, CT_ROOTS[3]]),
    (2, 5, [NODE_2_3, NODE_4]),
]

SIZES = range(1, 41)


def leaves_of(size: int) -> list[bytes]:
    return [sha256(b"leaf %d" % n).digest() for n in range(size)]


def hexes(path: list[bytes]) -> list[str]:
    return [node.hex() for node in path]


def test_the_empty_tree_is_the_hash_of_nothing():
    assert root([]) == EMPTY_ROOT == sha256(b"").digest()
    computed, paths = root_and_paths([])
    assert (computed, list(paths)) == (EMPTY_ROOT, [])


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size):
    assert root(CT_LEAVES[:size]).hex() == CT_ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size", "path"), CT_INCLUSION)
def test_inclusion_paths_are_the_published_ones(index, size, path):
    assert hexes(inclusion_path(CT_LEAVES[:size], index)) == path
    assert hexes(root_and_paths(CT_LEAVES[:size])[1][index]) == path


@pytest.mark.parametrize(("first", "second", "path"), CT_CONSISTENCY)
def test_consistency_paths_are_the_published_ones(first, second, path):
    assert hexes(consistency_path(CT_LEAVES[:second], first)) == path


@pytest.mark.parametrize("size", [*SIZES, 127, 128, 129])
def test_roots_and_every_path_equal_pymerkle(size):
    leaves = leaves_of(size)
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves:
        oracle.append_entry(leaf)
    computed, paths = root_and_paths(leaves)
    assert computed == root(leaves) == oracle.get_root()
    for index, path in enumerate(paths):
        proof = oracle.prove_inclusion(index + 1)
        assert path == inclusion_path(leaves, index) == proof.path[1:]


@pytest.mark.parametrize("size", SIZES)
def test_every_inclusion_proof_verifies_and_names_the_root(size):
    leaves = leaves_of(size)
    computed, paths = root_and_paths(leaves)
    for index, path in enumerate(paths):
        assert verify_inclusion(leaves[index], index, size, path, computed) == computed


@pytest.mark.parametrize("second", SIZES)
def test_every_consistency_proof_verifies_and_a_tampered_one_does_not(second):
    leaves = leaves_of(second)
    second_root = root(leaves)
    for first in range(second + 1):
        path = consistency_path(leaves, first)
        first_root = root(leaves[:first])
        verify_consistency(first, second, first_root, second_root, path)
        for bad in [*tampered_paths(path), [*path, EMPTY_ROOT]]:
            with pytest.raises(ProofError):
                verify_consistency(first, second, first_root, second_root, bad)
        with pytest.raises(ProofError):
            verify_consistency(first, second, flipped(first_root), second_root, path)
        if first:
            with pytest.raises(ProofError):
                verify_consistency(first, second, first_root, flipped(second_root), path)


def test_no_size_other_than_the_true_ones_passes_a_consistency_proof():
    leaves = leaves_of(20)
    for first in range(1, 20):
        first_root, path = root(leaves[:first]), consistency_path(leaves, first)
        for wrong in set(range(20)) - {first}:
            with pytest.raises(ProofError):
                verify_consistency(wrong, 20, first_root, root(leaves), path)


@given(st.integers(1, 70), st.data())
def test_a_tampered_inclusion_proof_is_refused(size, data):
    leaves = leaves_of(size)
    computed, paths = root_and_paths(leaves)
    index = data.draw(st.integers(0, size - 1))
    leaf, path = leaves[index], paths[index]
    forgeries = [
        (flipped(leaf), index, size, path, computed),
        (leaf, index, size, path, flipped(computed)),
        (leaf, size, size, path, computed),
        (leaf, -1, size, path, computed),
        (leaf, index, 0, path, computed),
        (leaf, index, size, [*path, computed], computed),
        (leaf, index, size, [b"short", *path[1:]], computed),
        *((leaf, index, size, bad, computed) for bad in tampered_paths(path)),
        *((leaf, other, size, path, computed) for other in range(size) if other != index),
    ]
    for forgery in forgeries:
        with pytest.raises(ProofError):
            verify_inclusion(*forgery)


def test_an_inner_node_cannot_pass_for_a_leaf():
    leaves = leaves_of(4)
    computed, paths = root_and_paths(leaves)
    left_node_data = sha256(b"\0" + leaves[0]).digest() + sha256(b"\0" + leaves[1]).digest()
    with pytest.raises(ProofError):
        verify_inclusion(left_node_data, 0, 2, paths[0][1:], computed)


@given(
    st.binary(), st.integers(-5, 2**70), st.integers(-5, 2**70), st.lists(st.binary(max_size=40)), st.binary()
)
def test_arbitrary_proofs_are_refused_with_a_proof_error(leaf, index, size, path, claimed):
    with pytest.raises(ProofError):
        verify_inclusion(leaf, index, size, path, claimed)


@given(
    st.integers(-5, 2**70), st.integers(1, 2**70), st.lists(st.binary(max_size=40)), st.binary(max_size=31)
)
def test_arbitrary_consistency_proofs_are_refused_with_a_proof_error(first, second, path, claimed):
    with pytest.raises(ProofError):
        verify_consistency(first, second, claimed, EMPTY_ROOT, path)


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_path_to_a_leaf_that_does_not_exist(index):
    with pytest.raises(ProofError):
        inclusion_path(leaves_of(3), index)


@pytest.mark.parametrize("first", [-1, 4])
def test_there_is_no_consistency_proof_from_a_tree_that_does_not_fit(first):
    with pytest.raises(ProofError):
        consistency_path(leaves_of(3), first)


def flipped(value: bytes) -> bytes:
    return bytes([value[0] ^ 1]) + value[1:]


def tampered_paths(path: list[bytes]) -> list[list[bytes]]:
    changed = [[*path[:n], flipped(path[n]), *path[n + 1 :]] for n in range(len(path))]
    swapped = [[*path[:n], path[n + 1], path[n], *path[n + 2 :]] for n in range(len(path) - 1)]
    return [*changed, *swapped, *([path[:-1]] if path else [])]

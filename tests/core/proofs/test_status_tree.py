"""The status tree: what it proves, of what it has and of what it has not."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs.merkle import ProofError
from shirushi_core.proofs.status_tree import (
    EMPTY,
    StatusProof,
    insert,
    leaf_hash,
    node_hash,
    prove,
    verify_status,
)


class Store(dict[bytes, bytes]):
    def put(self, node_hash: bytes, node: bytes) -> None:
        self[node_hash] = node


def digest(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


def grown(entries: dict[bytes, bytes]) -> tuple[Store, bytes]:
    store, root = Store(), EMPTY
    for key, value in entries.items():
        root = insert(store, root, key, value)
    return store, root


def model_root(entries: dict[bytes, bytes], depth: int = 0) -> bytes:
    """The definition, written down without any cleverness."""
    if not entries:
        return EMPTY
    if len(entries) == 1:
        return leaf_hash(*next(iter(entries.items())))
    halves: list[dict[bytes, bytes]] = [{}, {}]
    for key, value in entries.items():
        halves[key[depth // 8] >> (7 - depth % 8) & 1][key] = value
    return node_hash(model_root(halves[0], depth + 1), model_root(halves[1], depth + 1))


# Keys that share long beginnings come up often: the last byte, and the first, are all that differs.
keys = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 255).map(lambda last: bytes(31) + bytes([last])),
    st.integers(0, 255).map(lambda first: bytes([first]) + bytes(31)),
)
values = st.binary(min_size=32, max_size=32)
trees = st.dictionaries(keys, values, max_size=24)


@given(trees, st.randoms())
def test_the_root_depends_on_the_entries_and_not_on_their_order(
    entries: dict[bytes, bytes], shuffler: random.Random
) -> None:
    listed = list(entries.items())
    shuffler.shuffle(listed)
    assert grown(dict(listed))[1] == model_root(entries)


@given(trees, values)
def test_a_later_record_of_a_key_takes_the_place_of_the_earlier(
    entries: dict[bytes, bytes], value: bytes
) -> None:
    store, root = grown(entries)
    for key in entries:
        assert insert(store, root, key, value) == model_root({**entries, key: value})


@given(trees, keys)
def test_a_proof_says_what_the_tree_has_and_what_it_has_not(
    entries: dict[bytes, bytes], other: bytes
) -> None:
    store, root = grown(entries)
    for key in {*entries, other}:
        proof = StatusProof.from_bytes(prove(store, root, key).to_bytes(key), key)
        assert verify_status(proof, root, key) == entries.get(key)


@settings(max_examples=50)
@given(trees.filter(lambda entries: len(entries) > 1), keys, st.data())
def test_a_proof_of_one_key_or_root_proves_nothing_of_another(
    entries: dict[bytes, bytes], other: bytes, data: st.DataObject
) -> None:
    store, root = grown(entries)
    key = data.draw(st.sampled_from(sorted(entries)))
    proof = prove(store, root, key)
    with pytest.raises(ProofError):
        verify_status(proof, digest(1), key)
    if other not in entries:
        try:
            found = verify_status(proof, root, other)
        except ProofError:
            return
        assert found is None


@settings(max_examples=200)
@given(trees.filter(bool), st.data())
def test_a_changed_proof_never_says_something_else(entries: dict[bytes, bytes], data: st.DataObject) -> None:
    store, root = grown(entries)
    key = data.draw(st.sampled_from([*sorted(entries), digest(7)]))
    raw = bytearray(prove(store, root, key).to_bytes(key))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    try:
        found = verify_status(StatusProof.from_bytes(bytes(raw), key), root, key)
    except (InvalidInputError, ProofError):
        return
    assert found == entries.get(key)


def test_absence_is_not_shown_by_a_leaf_beside_the_way() -> None:
    near, far = bytes(32), b"\xff" * 32
    _, root = grown({near: digest(1), far: digest(2)})
    key = b"\x01" + bytes(31)
    forged = StatusProof((leaf_hash(near, digest(1)),), (far, digest(2)))
    with pytest.raises(ProofError, match="not on the key's way"):
        verify_status(forged, root, key)


def test_an_emptiness_that_no_tree_has_is_refused() -> None:
    with pytest.raises(ProofError, match="two empty halves"):
        verify_status(StatusProof((EMPTY,), None), node_hash(EMPTY, EMPTY), digest(1))


def test_nothing_is_in_the_empty_tree() -> None:
    proof = prove(Store(), EMPTY, digest(1))
    assert proof == StatusProof((), None)
    assert verify_status(proof, EMPTY, digest(1)) is None


def test_earlier_roots_stay_provable() -> None:
    store, before = grown({digest(n): digest(-n) for n in range(50)})
    after = insert(store, before, digest(99), digest(0))
    assert verify_status(prove(store, before, digest(99)), before, digest(99)) is None
    assert verify_status(prove(store, after, digest(99)), after, digest(99)) == digest(0)


def test_proofs_are_short() -> None:
    """Log2 of the entries decides: 20,000 here; docs/formats has the figures at a million."""
    store, root = grown({digest(n): digest(-n) for n in range(20_000)})
    sizes = [len(prove(store, root, digest(n)).to_bytes(digest(n))) for n in range(19_000, 21_000)]
    assert max(sizes) < 800


def test_a_store_without_a_node_is_named_as_that() -> None:
    with pytest.raises(ProofError, match="the store has no node"):
        prove(Store(), digest(1), digest(2))


def test_the_root_of_known_entries_is_known() -> None:
    """A vector for other implementations (docs/formats/status-tree.md)."""
    _, root = grown({digest(n): digest(-n - 1) for n in range(8)})
    assert root.hex() == VECTOR


VECTOR = "e57b450f548785ff71ececd1aa14428ee4ec1843eab9b2cd545329dcf999bee8"


@given(st.binary(max_size=200))
def test_noise_gives_a_typed_error(data: bytes) -> None:
    try:
        proof = StatusProof.from_bytes(data, digest(1))
    except InvalidInputError:
        return
    assert proof.to_bytes(digest(1)) == data

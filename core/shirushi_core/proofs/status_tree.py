r"""The compressed sparse Merkle tree that statuses are kept in: from a key to a value, 32 bytes each.

What the keys and values are is in certificate_status.py.

A key is 256 bits, read from the most significant one; 0 goes left. A subtree without keys is 32 zero bytes; one with a single
key is that leaf, however high it stands; any other is a node over its two halves:

    leaf = SHA-256("shirushi/status-leaf/v1\0" ‖ key ‖ value)
    node = SHA-256("shirushi/status-node/v1\0" ‖ left ‖ right)

So the root depends on the entries and not on the order in which they came. Nothing is ever deleted. Nodes are kept by their hash, so every earlier root stays provable.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import fields
from shirushi_core.proofs.merkle import HASH_SIZE, ProofError

KEY_BITS = 8 * HASH_SIZE
EMPTY = bytes(HASH_SIZE)
"""The root of a tree, or of a part of one, that holds nothing."""

_LEAF_DOMAIN = b"shirushi/status-leaf/v1\0"
_NODE_DOMAIN = b"shirushi/status-node/v1\0"
_LEAF, _NODE = b"\x00", b"\x01"
_STORED = 1 + 2 * HASH_SIZE
_ABSENT, _OTHER, _PRESENT = 0, 1, 2


class NodeReader(Protocol):
    """Where nodes are found, by their hash."""

    def get(self, node_hash: bytes) -> bytes | None:
        """Return a node's bytes, None if there is no such node."""


class NodeStore(NodeReader, Protocol):
    """Where nodes are kept; what is put is there for good."""

    def put(self, node_hash: bytes, node: bytes) -> None:
        """Keep a node."""


@dataclass(frozen=True, slots=True)
class StatusProof:
    """What a tree with some root says of one key.

    `siblings` are the hashes beside the way from the root down; `found` is the leaf where the way ends, None if nothing is
    there: the key's own if it has a value, another's if that one stands where the key's would.

    Bytes: number of siblings, 2 bytes big-endian; a bit for each, 1 where it is not empty, from the most significant
    bit on, padded with zeros; those that are not empty, 32 bytes each; 0 for nothing, 1 for another's leaf, 2 for the key's
    own; then the other's key (1), and the value (1, 2).
    """

    siblings: tuple[bytes, ...]
    found: tuple[bytes, bytes] | None

    def to_bytes(self, key: bytes) -> bytes:
        """Return the byte form of the proof for a key."""
        count = len(self.siblings)
        bits = int("".join("0" if each == EMPTY else "1" for each in self.siblings) or "0", 2)
        width = (count + 7) // 8
        kept = b"".join(each for each in self.siblings if each != EMPTY)
        head = count.to_bytes(2, "big") + (bits << (8 * width - count)).to_bytes(width, "big") + kept
        if self.found is None:
            return head + bytes([_ABSENT])
        found_key, record_hash = self.found
        if found_key == key:
            return head + bytes([_PRESENT]) + record_hash
        return head + bytes([_OTHER]) + found_key + record_hash

    @classmethod
    def from_bytes(cls, data: bytes, key: bytes) -> StatusProof:
        """Parse the byte form strictly; raises InvalidInputError."""
        reader = Reader(data)
        proof = cls.read(reader, key)
        reader.end()
        return proof

    @classmethod
    def read(cls, reader: Reader, key: bytes) -> StatusProof:
        """Read a proof for a key where a reader stands; raises InvalidInputError."""
        count = int.from_bytes(reader.take(2), "big")
        if count > KEY_BITS:
            raise InvalidInputError(f"status proof: expected at most {KEY_BITS} siblings, found {count}")
        width = (count + 7) // 8
        bits = int.from_bytes(reader.take(width), "big")
        if bits & ((1 << (8 * width - count)) - 1):
            raise InvalidInputError("status proof: expected zeros after the siblings' bits")
        bits >>= 8 * width - count
        siblings = []
        for position in range(count - 1, -1, -1):
            siblings.append(reader.take(HASH_SIZE) if bits >> position & 1 else EMPTY)
        if any(
            each == EMPTY
            for each, bit in zip(siblings, range(count - 1, -1, -1), strict=True)
            if bits >> bit & 1
        ):
            raise InvalidInputError("status proof: an empty sibling is given in full")
        kind = reader.take(1)[0]
        found: tuple[bytes, bytes] | None = None
        if kind == _OTHER:
            found = (reader.take(HASH_SIZE), reader.take(HASH_SIZE))
            if found[0] == key:
                raise InvalidInputError("status proof: the key's own leaf is given as another's")
        elif kind == _PRESENT:
            found = (key, reader.take(HASH_SIZE))
        elif kind != _ABSENT:
            raise InvalidInputError(f"status proof: expected an ending of 0, 1 or 2, found {kind}")
        return cls(tuple(siblings), found)


def insert(store: NodeStore, root: bytes, key: bytes, value: bytes) -> bytes:
    """Return the root of the tree with a key's value set; raises ProofError if a node is missing from the store."""
    fields.check_hash(key, "status tree: key")
    fields.check_hash(value, "status tree: value")
    siblings, found = _walk(store, root, key)
    node = _put(store, _LEAF, key, value)
    if found is not None and found[0] != key:
        siblings = [*siblings, *[EMPTY] * (_common_bits(found[0], key) - len(siblings)), leaf_hash(*found)]
    for depth in range(len(siblings) - 1, -1, -1):
        node = _put(store, _NODE, *_ordered(key, depth, node, siblings[depth]))
    return node


def prove(store: NodeReader, root: bytes, key: bytes) -> StatusProof:
    """Return the proof of what a tree says of a key; raises ProofError if a node is missing from the store."""
    siblings, found = _walk(store, root, fields.check_hash(key, "status tree: key"))
    return StatusProof(tuple(siblings), found)


def verify_status(proof: StatusProof, root: bytes, key: bytes) -> bytes | None:
    """Return a key's value in the tree with this root, None if it has none there; raises ProofError."""
    node = proved_root(proof, key)
    if node != root:
        raise ProofError(f"status proof: expected root {root.hex()}, it leads to {node.hex()}")
    return proof.found[1] if proof.found is not None and proof.found[0] == key else None


def proved_root(proof: StatusProof, key: bytes) -> bytes:
    """Return the root of the tree that a proof for a key is about; raises ProofError if no tree has such a proof."""
    if len(proof.siblings) > KEY_BITS or len(key) != HASH_SIZE:
        raise ProofError("status proof: too many siblings, or a key that is none")
    if proof.found is None:
        node = EMPTY
    else:
        if proof.found[0] != key and _common_bits(proof.found[0], key) < len(proof.siblings):
            raise ProofError("status proof: it ends at a leaf that is not on the key's way")
        node = leaf_hash(*proof.found)
    for depth in range(len(proof.siblings) - 1, -1, -1):
        sibling = proof.siblings[depth]
        if node == EMPTY and sibling == EMPTY:
            raise ProofError("status proof: a node over two empty halves, which no tree has")
        node = node_hash(*_ordered(key, depth, node, sibling))
    return node


def leaf_hash(key: bytes, value: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(_LEAF_DOMAIN + key + value).digest()


def leaf_key(node: bytes) -> bytes | None:
    """Return whose leaf a stored node is, None for one that is no leaf."""
    return node[1 : 1 + HASH_SIZE] if len(node) == _STORED and node[:1] == _LEAF else None


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its halves."""
    return sha256(_NODE_DOMAIN + left + right).digest()


def _walk(store: NodeReader, root: bytes, key: bytes) -> tuple[list[bytes], tuple[bytes, bytes] | None]:
    siblings: list[bytes] = []
    node = root
    while node != EMPTY:
        kind, first, second = _get(store, node)
        if kind == _LEAF:
            return siblings, (first, second)
        if len(siblings) == KEY_BITS:
            raise ProofError(f"status tree: more than {KEY_BITS} nodes on one way")
        if _bit(key, len(siblings)):
            first, second = second, first
        node = first
        siblings.append(second)
    return siblings, None


def _get(store: NodeReader, node_hash: bytes) -> tuple[bytes, bytes, bytes]:
    data = store.get(node_hash)
    if data is None or len(data) != _STORED:
        raise ProofError(f"status tree: the store has no node {node_hash.hex()}")
    return data[:1], data[1 : 1 + HASH_SIZE], data[1 + HASH_SIZE :]


def _put(store: NodeStore, kind: bytes, first: bytes, second: bytes) -> bytes:
    made = leaf_hash(first, second) if kind == _LEAF else node_hash(first, second)
    store.put(made, kind + first + second)
    return made


def _ordered(key: bytes, depth: int, node: bytes, sibling: bytes) -> tuple[bytes, bytes]:
    return (sibling, node) if _bit(key, depth) else (node, sibling)


def _bit(key: bytes, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def _common_bits(one: bytes, other: bytes) -> int:
    return KEY_BITS - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


class Reader:
    """Takes bytes of a proof one after the other; raises InvalidInputError where they end too early, or too late."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        taken = self._data[self._at : self._at + count]
        if len(taken) != count:
            raise InvalidInputError("status proof: it ends too early")
        self._at += count
        return taken

    def end(self) -> None:
        """Refuse anything that follows."""
        if self._at != len(self._data):
            raise InvalidInputError(f"status proof: {len(self._data) - self._at} bytes too many")

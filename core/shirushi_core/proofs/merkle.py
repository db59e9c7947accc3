"""RFC 9162 Merkle trees over byte strings: roots, inclusion proofs, consistency proofs.

Leaf hash SHA-256(0x00 ‖ data), node hash SHA-256(0x01 ‖ left ‖ right), odd nodes never duplicated (section 2.1).

The RFC defines a tree by splitting at the largest power of two below its size. Built from the leaves upwards that is:
pair neighbours, and let an odd last node rise unchanged; here every level is kept, so shared nodes are hashed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import overload

from shirushi_core.errors import ShirushiError

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()


class ProofError(ShirushiError):
    """A Merkle proof that does not lead to the root it was checked against."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162 section 2.1.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 9162 section 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the tree head over leaf *data* (SHA-256 of nothing for an empty tree)."""
    level = [leaf_hash(leaf) for leaf in leaves]
    while len(level) > 1:
        level = _parents(level)
    return level[0] if level else EMPTY_ROOT


class Paths(Sequence[list[bytes]]):
    """Every leaf's inclusion path (RFC 9162 section 2.1.3.1), looked up in the tree when it is asked for."""

    def __init__(self, levels: Sequence[Sequence[bytes]]) -> None:
        self._levels = levels

    def __len__(self) -> int:
        return len(self._levels[0]) if self._levels else 0

    @overload
    def __getitem__(self, index: int) -> list[bytes]: ...

    @overload
    def __getitem__(self, index: slice) -> list[list[bytes]]: ...

    def __getitem__(self, index: int | slice) -> list[bytes] | list[list[bytes]]:
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        index = range(len(self))[index]
        path = []
        for level in self._levels[:-1]:
            if index ^ 1 < len(level):
                path.append(level[index ^ 1])
            index >>= 1
        return path


def root_and_paths(leaves: Sequence[bytes]) -> tuple[bytes, Paths]:
    """Return the tree head and every leaf's inclusion path; each node is hashed once."""
    levels = _levels(leaves) if leaves else []
    return (levels[-1][0] if levels else EMPTY_ROOT), Paths(levels)


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return one leaf's inclusion path (RFC 9162 section 2.1.3.1); raises ProofError if there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise ProofError(f"leaf index: expected one below {len(leaves)}, found {index}")
    return Paths(_levels(leaves))[index]


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes
) -> bytes:
    """Return the root that leaf data, index, size and path lead to, if it is `expected_root` (RFC 9162 2.1.3.2).

    Raises ProofError otherwise; every malformed size, index, path length or hash size is a ProofError too.
    """
    computed = root_of_path(leaf, index, size, path)
    if computed != expected_root:
        raise ProofError(
            f"inclusion proof: expected root {expected_root.hex()}, it leads to {computed.hex()}"
        )
    return computed


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that leaf data, index, size and path lead to; raises ProofError for malformed ones.

    It proves nothing until the root is known to be somebody's.
    """
    if not 0 <= index < size:
        raise ProofError(f"leaf index: expected one below the tree's size {size}, found {index}")
    _check_hashes(path)
    node, last, computed = index, size - 1, leaf_hash(leaf)
    for sibling in path:
        if last == 0:
            raise _wrong_length("inclusion", path)
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:  # an odd last node rose to here without a sibling
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise _wrong_length("inclusion", path)
    return computed


def consistency_path(leaves: Sequence[bytes], first: int) -> list[bytes]:
    """Return the proof that the tree over `leaves[:first]` is a prefix of the whole (RFC 9162 section 2.1.4.1).

    Empty for first = 0 and for first = the whole; raises ProofError if there are fewer leaves than `first`.
    """
    if not 0 <= first <= len(leaves):
        raise ProofError(f"first tree size: expected at most {len(leaves)}, found {first}")
    if first in (0, len(leaves)):
        return []
    levels = _levels(leaves)
    node, last, height = first - 1, len(leaves) - 1, 0
    while node & 1:  # the largest complete subtree that ends the first tree
        node, last, height = node >> 1, last >> 1, height + 1
    path = [levels[height][node]] if node else []
    while last:
        if node & 1:
            path.append(levels[height][node - 1])
        elif node < last:
            path.append(levels[height][node + 1])
        node, last, height = node >> 1, last >> 1, height + 1
    return path


def verify_consistency(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that a tree of `second` leaves extends one of `first` leaves (RFC 9162 2.1.4.2); raises ProofError.

    Every tree extends the empty one (first = 0, whose root is EMPTY_ROOT) and itself; both take an empty path.
    """
    if not 0 <= first <= second:
        raise ProofError(f"tree sizes: expected 0 <= first <= second, found {first} and {second}")
    _check_hashes([first_root, second_root, *path])
    if first in (0, second):
        if path:
            raise _wrong_length("consistency", path)
        expected = EMPTY_ROOT if first == 0 else second_root
        if first_root != expected or (second == 0 and second_root != EMPTY_ROOT):
            raise ProofError(f"consistency proof: the roots of trees of {first} and {second} leaves differ")
        return
    if not path:
        raise _wrong_length("consistency", path)
    # A first tree that is one complete subtree stands for itself and is left out of the path.
    rest = list(path) if first & (first - 1) else [first_root, *path]
    node, last = first - 1, second - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            raise _wrong_length("consistency", path)
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise _wrong_length("consistency", path)
    if old != first_root:
        raise ProofError(
            f"consistency proof: expected first root {first_root.hex()}, it leads to {old.hex()}"
        )
    if new != second_root:
        raise ProofError(
            f"consistency proof: expected second root {second_root.hex()}, it leads to {new.hex()}"
        )


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    levels = [[sha256(b"\x00" + leaf).digest() for leaf in leaves]]
    while len(levels[-1]) > 1:
        levels.append(_parents(levels[-1]))
    return levels


def _parents(level: list[bytes]) -> list[bytes]:
    parents = [
        sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)
    ]
    if len(level) & 1:
        parents.append(level[-1])
    return parents


def _check_hashes(hashes: Sequence[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofError(f"proof: expected hashes of {HASH_SIZE} bytes, found one of {len(value)}")


def _wrong_length(kind: str, path: Sequence[bytes]) -> ProofError:
    return ProofError(f"{kind} proof: its {len(path)} hashes are not as many as the tree sizes ask for")

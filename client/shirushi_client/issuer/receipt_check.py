"""Whether a receipt proves its certificate, asked of thousands that share an anchor."""

from __future__ import annotations

import orjson

from shirushi_client.hashing import FileDigest
from shirushi_core.errors import ShirushiError
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.commitment import commitment
from shirushi_core.proofs.fields import HASH_SIZE
from shirushi_core.proofs.merkle import leaf_hash, node_hash
from shirushi_core.proofs.receipt import FORMAT


class ReceiptCheck:
    """Checks the receipts of one batch, best in the order of the tree.

    It asks what a recipient asks, of the same bytes (`Receipt.from_bytes`, `verify_file`, `verify_in_batch`), but
    without their objects and without saying what is wrong. Paths of neighbours differ in their first steps only. A node
    that was led to the root is remembered with its place and the rest of its path: where the same three come
    again, so would the same root.
    """

    def __init__(self, statement: BatchStatement) -> None:
        self._statement = statement
        self._proven: dict[int, tuple[int, bytes, list[str]]] = {}
        """By level (as the index of its last node): the latest node that led to the root, and the rest of its path."""

    def proves(self, own: bytes, index: int, salt: bytes, certificate: FileDigest) -> bool:
        """Say whether a receipt's own part (`own_part`) is well-formed, of this certificate, and leads to the root."""
        try:
            members = orjson.loads(b"{" + own)
            path = members["batch"]["path"]
            expected = {
                "batch": {"index": index, "path": path},
                "certificate": {"sha256": certificate.sha256.hex(), "size": certificate.size},
                "format": FORMAT,
                "ledger": self._statement.ledger,
                "salt": salt.hex(),
            }
            leaf = leaf_hash(commitment(salt, certificate.sha256))
            return members == expected and self._leads_to_the_root(leaf, index, path)
        except (ShirushiError, ValueError, LookupError, TypeError):
            return False

    def _leads_to_the_root(self, computed: bytes, node: int, path: list[str]) -> bool:
        """Walk an inclusion path as RFC 9162 section 2.1.3.2 does, until there is nothing new."""
        last = self._statement.size - 1
        if not 0 <= node <= last:
            return False
        walked = {}
        while last:
            if node & 1 or node < last:  # else it rises without a sibling
                place = (node, computed, path)
                if self._proven.get(last) == place:
                    break
                walked[last] = place
                sibling = bytes.fromhex(path[0])
                if (
                    len(sibling) != HASH_SIZE or sibling.hex() != path[0]
                ):  # fromhex also takes upper case and spaces
                    return False
                computed = node_hash(sibling, computed) if node & 1 else node_hash(computed, sibling)
                path = path[1:]
            node, last = node >> 1, last >> 1
        else:
            if path or computed != self._statement.root:
                return False
        self._proven.update(walked)
        return True

"""Commits blocks until killed, and says after each one that it is durable."""

from __future__ import annotations

import sys
from pathlib import Path

from fabric_protos.common import common_pb2

from shirushi_core.fabric.block import new_block, sign_block
from shirushi_core.fabric.rwset import NamespaceRwSet, Write
from shirushi_node.ledger.store import LedgerStore


def main(path: Path, genesis: Path) -> None:
    """Commit blocks of twenty transactions, each a counter and a key of its own."""
    store = LedgerStore.open(path, common_pb2.Block.FromString(genesis.read_bytes()))
    while True:
        number = store.height
        envelopes = [b"%d-%d" % (number, tx) * 200 for tx in range(20)]
        block = new_block(number, store.last_header_hash, envelopes)
        sign_block(block, last_config=0, orderers=[], nonces=[])
        writes = [
            (
                tx,
                (
                    NamespaceRwSet(
                        "cc", writes=(Write("height", b"%d" % number), Write(f"{number:08}-{tx}", envelope))
                    ),
                ),
            )
            for tx, envelope in enumerate(envelopes)
        ]
        store.commit(block, [0] * 20, [f"id-{number}-{tx}" for tx in range(20)], writes, [(0, 0)] * 20)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""The vectors of docs/formats/derivation.md: blocks without a signature or certificate in them, and the log that they give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.anchored_chain import AnchoredConsortium

from shirushi_core.fabric.committed import read_block
from shirushi_core.proofs.replay import Replay
from shirushi_node.witness.follower import prepare
from shirushi_node.witness.store import LogStore

VECTORS: Any = json.loads(
    (Path(__file__).parents[2] / "vectors" / "derivation.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("together", [1, 100])
def test_the_blocks_give_these_bytes(consortium: AnchoredConsortium, tmp_path: Path, together: int) -> None:
    replay = Replay(VECTORS["ledger"])
    store = LogStore.open(tmp_path / "log", read_block(consortium.genesis.SerializeToString()))
    try:
        for step in VECTORS["steps"]:
            blocks = [read_block(bytes.fromhex(block)) for block in step["blocks"]]
            before = store.size
            while blocks:
                ready, error = prepare(store, blocks[:together], lambda: False)
                assert error is None
                store.commit(ready)
                blocks = blocks[together:]
            entries = [store.entry(index) for index in range(before, store.size)]
            assert [entry.decode() for entry in entries] == step["entries"], step["name"]
            assert store.tree().root().hex() == step["root"], step["name"]
            for entry in entries:
                replay.feed(entry)
    finally:
        store.close()
    assert replay.at_head

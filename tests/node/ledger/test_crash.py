from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from fabric_protos.common import common_pb2
from tests.support.consortium import Consortium

from shirushi_core.fabric.block import data_hash, header_hash
from shirushi_node.ledger.store import LedgerStore

ROUNDS = 6


def blocks_announced_until_killed(path: Path, genesis: Path, blocks: int) -> list[int]:
    """Let another process commit, kill it somewhere after so many blocks, and return what it had announced."""
    script = Path(__file__).with_name("committing_forever.py")
    with subprocess.Popen([sys.executable, script, path, genesis], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        announced = [int(process.stdout.readline()) for _ in range(blocks)]
        process.kill()
        announced += [
            int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")
        ]
    return announced


def test_every_announced_block_survives_kill_9_and_the_store_needs_no_repair(
    tmp_path: Path, consortium: Consortium
) -> None:
    genesis = tmp_path / "genesis.block"
    genesis.write_bytes(consortium.genesis.SerializeToString())
    path = tmp_path / "ledger"
    moments = random.Random(7)
    for _ in range(ROUNDS):
        announced = blocks_announced_until_killed(path, genesis, moments.randint(1, 60))
        store = LedgerStore.open(path, consortium.genesis)
        assert store.height > announced[-1]
        check_consistent(store)
        store.close()


def check_consistent(store: LedgerStore) -> None:
    """Check that blocks, hashes, indexes, state and history all stand at one height."""
    previous = b""
    for number in range(store.height):
        block = common_pb2.Block.FromString(store.block_bytes(number))
        assert block.header.previous_hash == previous
        assert block.header.data_hash == data_hash(block.data.data)
        previous = header_hash(block.header)
        assert store.block_number_by_hash(previous) == number
    assert store.last_header_hash == previous
    last = store.height - 1
    assert store.transaction(f"id-{last}-19") is not None
    assert store.transaction(f"id-{last + 1}-0") is None
    with store.snapshot() as snapshot:
        height = snapshot.get("cc", "height")
        assert height is not None
        assert height.value == b"%d" % last
        assert next(snapshot.history("cc", "height")).tx_id == f"id-{last}-19"
        assert sum(1 for _ in snapshot.range("cc", "", "a")) == 20 * last

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fabric_protos.common import common_pb2
from tests.support.consortium import Consortium, Member

from shirushi_core.fabric.block import (
    block_commit_hash,
    commit_hash,
    header_hash,
    new_block,
    sign_block,
    validation_codes,
)
from shirushi_core.fabric.chaincode import KeyModification
from shirushi_core.fabric.envelope import parse_header
from shirushi_core.fabric.rwset import NamespaceRwSet, Version, Write
from shirushi_core.fabric.state_updates import update_bytes
from shirushi_node.ledger.records import MAX_STATE_KEY_BYTES
from shirushi_node.ledger.store import LedgerStore, StoreError, TransactionLocation


def next_block(store: LedgerStore, *envelopes: bytes) -> common_pb2.Block:
    block = new_block(store.height, store.last_header_hash, envelopes)
    sign_block(block, last_config=0, orderers=[], nonces=[])
    return block


def commit(
    store: LedgerStore,
    *transactions: Sequence[NamespaceRwSet],
    tx_ids: Sequence[str] | None = None,
    codes: Sequence[int] | None = None,
) -> common_pb2.Block:
    """Commit a block of transactions that write these sets; those with another code than 0 write nothing."""
    count, number = len(transactions), store.height
    codes = codes or [0] * count
    block = next_block(store, *[b"tx-%d-%d" % (number, tx) for tx in range(count)])
    store.commit(
        block,
        list(codes),
        list(tx_ids or [f"id-{number}-{tx}" for tx in range(count)]),
        [(tx, tuple(sets)) for tx, sets in enumerate(transactions) if codes[tx] == 0],
        [(1000 + number, tx) for tx in range(count)],
    )
    return block


def writes(*pairs: tuple[str, bytes | None], namespace: str = "cc") -> list[NamespaceRwSet]:
    return [NamespaceRwSet(namespace, writes=tuple(Write(key, value) for key, value in pairs))]


def test_a_new_store_holds_the_genesis_block(store: LedgerStore, consortium: Consortium) -> None:
    assert store.height == 1
    assert store.last_header_hash == header_hash(consortium.genesis.header)
    assert store.last_config_block == 0
    stored = common_pb2.Block.FromString(store.block_bytes(0))
    assert stored.data == consortium.genesis.data
    assert validation_codes(stored) == [0]
    assert block_commit_hash(stored) == b""
    tx_id = parse_header(common_pb2.Envelope.FromString(stored.data.data[0])).tx_id
    assert store.transaction(tx_id) == TransactionLocation(0, 0, 0)


def test_a_block_is_found_by_number_hash_and_transaction_id(store: LedgerStore) -> None:
    block = commit(store, writes(("a", b"1")), writes(("b", b"2")), codes=[0, 11])
    assert store.height == 2
    assert store.block_bytes(1) == block.SerializeToString()
    assert store.block_number_by_hash(header_hash(block.header)) == 1
    assert store.transaction("id-1-0") == TransactionLocation(1, 0, 0)
    assert store.transaction("id-1-1") == TransactionLocation(1, 1, 11)
    assert validation_codes(block) == [0, 11]


def test_what_is_not_there_is_none(store: LedgerStore) -> None:
    assert store.block_bytes(1) is None
    assert store.block_bytes(-1) is None
    assert store.block_number_by_hash(b"\0" * 32) is None
    assert store.block_number_by_hash(b"") is None
    for tx_id in ("", "unknown", "x" * 10_000):
        assert store.transaction(tx_id) is None


def test_a_transaction_id_stays_with_its_first_transaction(store: LedgerStore) -> None:
    commit(store, [], tx_ids=["same"])
    commit(store, [], tx_ids=["same"], codes=[9])
    assert store.transaction("same") == TransactionLocation(1, 0, 0)


def test_a_transaction_without_an_id_is_not_indexed(store: LedgerStore) -> None:
    commit(store, [], [], tx_ids=["", "y" * 65])
    assert store.transaction("") is None
    assert store.transaction("y" * 65) is None


def test_state_has_values_versions_and_deletions(store: LedgerStore) -> None:
    commit(store, writes(("a", b"1"), ("b", b"2")), writes(("c", b"3")))
    commit(store, writes(("a", None), ("b", b"22")))
    with store.snapshot() as snapshot:
        assert snapshot.height == 3
        assert snapshot.get("cc", "a") is None
        found = snapshot.get("cc", "b")
        assert found is not None
        assert (found.value, found.version, dict(found.metadata)) == (b"22", Version(2, 0), {})
        assert snapshot.get("other", "b") is None
        assert [(key, each.version) for key, each in snapshot.range("cc", "", "")] == [
            ("b", Version(2, 0)),
            ("c", Version(1, 1)),
        ]


def test_invalid_transactions_write_nothing(store: LedgerStore) -> None:
    commit(store, writes(("a", b"1")), codes=[11])
    with store.snapshot() as snapshot:
        assert snapshot.get("cc", "a") is None
        assert list(snapshot.history("cc", "a")) == []


def test_a_snapshot_does_not_see_later_blocks(store: LedgerStore) -> None:
    commit(store, writes(("a", b"1")))
    with store.snapshot() as before:
        commit(store, writes(("a", b"2")))
        assert before.height == 2
        found = before.get("cc", "a")
        assert found is not None
        assert found.value == b"1"
        assert len(list(before.history("cc", "a"))) == 1


def test_ranges_are_half_open_and_stay_in_their_namespace(store: LedgerStore) -> None:
    keys = ["\0a\0", "a", "aa", "b", "é", "\U0001f600"]
    commit(store, writes(*((key, b"x") for key in keys)), writes(("a", b"x"), namespace="cc2"))

    def names(start: str, end: str, namespace: str = "cc") -> list[str]:
        with store.snapshot() as snapshot:
            return [key for key, _ in snapshot.range(namespace, start, end)]

    assert names("", "") == keys
    assert names("\x01", "") == keys[1:]
    assert names("a", "b") == ["a", "aa"]
    assert names("b", "a") == []
    assert names("", "", "cc2") == ["a"]
    assert names("", "", "c") == []


def test_history_is_newest_first_with_deletions(store: LedgerStore) -> None:
    commit(store, writes(("a", b"1")))
    commit(store, writes(("b", b"x")), writes(("a", b"2")))
    commit(store, writes(("a", None)))
    with store.snapshot() as snapshot:
        assert list(snapshot.history("cc", "a")) == [
            KeyModification("id-3-0", 1003, 0, b"", True),
            KeyModification("id-2-1", 1002, 1, b"2", False),
            KeyModification("id-1-0", 1001, 0, b"1", False),
        ]
        assert list(snapshot.history("cc", "nothing")) == []


def test_metadata_stays_with_its_key(store: LedgerStore) -> None:
    policy = {"VALIDATION_PARAMETER": b"policy"}

    def state(key: str) -> tuple[bytes, Version, dict[str, bytes]] | None:
        with store.snapshot() as snapshot:
            found = snapshot.get("cc", key)
        return None if found is None else (found.value, found.version, dict(found.metadata))

    commit(
        store,
        [NamespaceRwSet("cc", writes=(Write("a", b"1"),), metadata_writes={"a": policy, "ghost": policy})],
    )
    assert state("a") == (b"1", Version(1, 0), policy)
    assert state("ghost") is None
    commit(store, writes(("a", b"2")))
    assert state("a") == (b"2", Version(2, 0), policy)
    commit(store, [NamespaceRwSet("cc", metadata_writes={"a": None})])
    assert state("a") == (b"2", Version(3, 0), {})
    commit(
        store, [NamespaceRwSet("cc", metadata_writes={"a": policy})], writes(("a", None)), writes(("a", b"3"))
    )
    assert state("a") == (b"3", Version(4, 2), {})


def test_commit_hash_chains_over_blocks(store: LedgerStore) -> None:
    first = commit(store, writes(("a", b"1")), writes(("b", b"2")), codes=[0, 11])
    updates = update_bytes({"cc": {"a": (b"1", Version(1, 0))}})
    assert block_commit_hash(first) == commit_hash(b"", b"\x00\x0b", updates)
    second = commit(store, writes(("a", None)))
    updates = update_bytes({"cc": {"a": (None, Version(2, 0))}})
    assert block_commit_hash(second) == commit_hash(block_commit_hash(first), b"\x00", updates)


def test_everything_is_there_after_reopening(tmp_path: Path, consortium: Consortium) -> None:
    path = tmp_path / "ledger"
    store = LedgerStore.open(path, consortium.genesis)
    commit(store, writes(("a", b"1")))
    last, before = store.last_header_hash, store.block_bytes(1)
    store.close()
    store = LedgerStore.open(path, consortium.genesis)
    assert (store.height, store.last_header_hash, store.last_config_block) == (2, last, 0)
    assert store.block_bytes(1) == before
    block = commit(store, writes(("b", b"2")))
    updates = update_bytes({"cc": {"b": (b"2", Version(2, 0))}})
    expected = commit_hash(block_commit_hash(common_pb2.Block.FromString(before)), b"\x00", updates)
    assert block_commit_hash(block) == expected
    store.close()


def test_a_block_that_does_not_follow_is_refused_and_changes_nothing(store: LedgerStore) -> None:
    block = new_block(1, b"\0" * 32, [b"tx"])
    sign_block(block, last_config=0, orderers=[], nonces=[])
    with pytest.raises(StoreError, match="block 1 does not follow block 0"):
        store.commit(block, [0], ["id"], [], [(0, 0)])
    assert store.height == 1
    assert store.transaction("id") is None


def test_a_block_that_fails_halfway_changes_nothing(store: LedgerStore) -> None:
    too_long = "k" * MAX_STATE_KEY_BYTES
    with pytest.raises(StoreError, match="cannot be stored"):
        commit(store, writes(("a", b"1"), (too_long, b"2")))
    assert store.height == 1
    with store.snapshot() as snapshot:
        assert snapshot.height == 1
        assert snapshot.get("cc", "a") is None
    commit(store, writes(("a", b"1")))
    assert store.height == 2


def test_a_full_store_says_so_and_stays_readable(tmp_path: Path, consortium: Consortium) -> None:
    store = LedgerStore.open(tmp_path / "small", consortium.genesis, map_size=400_000)
    with pytest.raises(StoreError, match="block 1 cannot be written"):
        commit(store, writes(("a", b"x" * 1_000_000)))
    assert store.height == 1
    assert store.block_bytes(0) is not None
    store.close()


def test_another_genesis_block_is_refused(tmp_path: Path, store: LedgerStore, consortium: Consortium) -> None:
    store_path = tmp_path / "mine"
    LedgerStore.open(store_path, consortium.genesis).close()
    other = Consortium(members=[*consortium.members[:4], Member.named(6)])
    with pytest.raises(StoreError, match="was made from another genesis block"):
        LedgerStore.open(store_path, other.genesis)
    LedgerStore.open(store_path, consortium.genesis).close()


def test_a_damaged_genesis_block_is_refused(tmp_path: Path, consortium: Consortium) -> None:
    damaged = common_pb2.Block()
    damaged.CopyFrom(consortium.genesis)
    damaged.data.data[0] += b"x"
    with pytest.raises(StoreError, match="genesis block is damaged"):
        LedgerStore.open(tmp_path / "ledger", damaged)
    assert not (tmp_path / "ledger").exists()


def test_a_store_is_for_one_process_at_a_time(tmp_path: Path, consortium: Consortium) -> None:
    path = tmp_path / "ledger"
    holder = "import fcntl, os, sys; fd = os.open(sys.argv[1], os.O_RDWR); fcntl.flock(fd, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    LedgerStore.open(path, consortium.genesis).close()
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(path / "in-use.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(StoreError, match="in use by another process"):
            LedgerStore.open(path, consortium.genesis)
        process.communicate()
    LedgerStore.open(path, consortium.genesis).close()


def test_a_path_that_is_no_directory_is_a_clear_error(tmp_path: Path, consortium: Consortium) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        LedgerStore.open(tmp_path / "file", consortium.genesis)


def test_store_files_are_for_their_owner_only(tmp_path: Path, store: LedgerStore) -> None:
    for name in ("data.mdb", "lock.mdb", "in-use.lock"):
        assert (tmp_path / "ledger" / name).stat().st_mode & 0o077 == 0

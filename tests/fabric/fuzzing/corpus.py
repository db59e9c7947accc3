"""The fuzzer's encodings as blocks without a certificate or a signature in them, and the log that every witness derives from them.

    python -m tests.fabric.fuzzing.corpus          derives the corpus, and fails unless it gives the bytes that stand there
    python -m tests.fabric.fuzzing.corpus --write  writes it again

tests/vectors/derivation/fuzzed.json holds it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zlib
from base64 import b64decode, b64encode
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

from fabric_protos.common import common_pb2
from tests.fabric.fuzzing.envelopes import ANCHORS, LEVELS, Content, EnvelopeCase, envelope, envelope_case
from tests.fabric.fuzzing.wire_oddities import ODDITIES

from shirushi_core.fabric.block import data_hash
from shirushi_core.fabric.committed import read_block
from shirushi_core.fabric.lifecycle import definition, state_values
from shirushi_node.witness.follower import prepare
from shirushi_node.witness.store import LogStore

FILE = Path(__file__).parents[2] / "vectors" / "derivation" / "fuzzed.json"
LEDGER = "shirushi-test"
TOGETHER = 20
"""Transactions in a block."""

LARGE = ("groups, too many", "groups, nearly too many")
"""Encodings of many bytes, which stand for all messages in one of them."""

MORE = 200
"""Cases with several oddities."""


@dataclass(frozen=True)
class _Somebody:
    """Who signs where nobody looks at signatures."""

    @property
    def serialized(self) -> bytes:
        return b"somebody"

    @property
    def identity(self) -> _Somebody:
        return self

    def sign(self, message: bytes) -> bytes:
        return b"signature"


class _Everybody(dict[str, Any]):
    def __missing__(self, name: str) -> _Somebody:
        return _Somebody()


def cases() -> list[EnvelopeCase]:
    """Return every encoding of every message, and some together."""
    single = [envelope_case(seed) for seed in range(len(LEVELS) * len(ODDITIES))]
    kept = [
        case
        for case in single
        if case.oddities[0][1] not in LARGE or case.oddities[0][0] in ("envelope", "write")
    ]
    several = [envelope_case(seed) for seed in range(len(single), len(single) + MORE)]
    return kept + [case for case in several if not {name for _, name in case.oddities} & set(LARGE)]


def made_blocks() -> list[bytes]:
    """Return the genesis block, in which there is a channel's name only, and a chain of blocks on top of it, all found valid."""
    header = common_pb2.ChannelHeader(type=common_pb2.CONFIG, channel_id=LEDGER)
    payload = common_pb2.Payload(header=common_pb2.Header(channel_header=header.SerializeToString()))
    first = common_pb2.Envelope(payload=payload.SerializeToString()).SerializeToString()
    envelopes = [case.build(number, _Everybody(), LEDGER) for number, case in enumerate(cases(), start=1)]
    values = state_values(definition(ANCHORS, "2.0", 1, None))
    defined = envelope(Content(tuple(values.items()), chaincode="_lifecycle"), 0, _Somebody(), (), LEDGER)
    half = len(envelopes) // 2  # by the rules of version 1, and of version 2
    parts = [
        *([*envelopes[start : start + TOGETHER]] for start in range(0, half, TOGETHER)),
        [defined],
        *([*envelopes[start : start + TOGETHER]] for start in range(half, len(envelopes), TOGETHER)),
        *([*envelopes[start : start + TOGETHER]] for start in range(0, half, TOGETHER)),
    ]
    return [_block(number, part) for number, part in enumerate([[first], *parts])]


def _block(number: int, data: list[bytes]) -> bytes:
    header = common_pb2.BlockHeader(number=number, data_hash=data_hash(data))
    block = common_pb2.Block(header=header)
    block.data.data.extend(data)
    block.metadata.metadata.extend([b"", b"", bytes(len(data)), b"", b""])
    return bytes(block.SerializeToString(deterministic=True))


def derived(blocks: list[bytes], folder: Path) -> dict[str, Any]:
    """Return what a witness's log has after these blocks: entries' digest and number, root, what is not judged."""
    with closing(LogStore.open(folder, read_block(blocks[0]))) as store:
        unjudged: list[list[int]] = []
        for data in blocks[1:]:
            ready, error = prepare(store, [read_block(data)], lambda: False)
            if error is not None:
                raise error
            unjudged += [[each.block, each.transaction] for each in store.commit(ready).unjudged]
        entries = [store.entry(index) for index in range(store.size)]
        root = store.tree().root().hex()
    return {
        "entries": len(entries),
        "entries_sha256": sha256(b"\n".join(entries)).hexdigest(),
        "root": root,
        "unjudged": unjudged,
    }


def stored() -> tuple[list[bytes], dict[str, Any]]:
    """Return the corpus: its blocks, and what has to be derived from them."""
    content = json.loads(FILE.read_text())
    return [zlib.decompress(b64decode(block)) for block in content["blocks"]], content["derived"]


def main() -> None:
    if "--write" in sys.argv:
        blocks = made_blocks()
        with tempfile.TemporaryDirectory() as folder:
            expected = derived(blocks, Path(folder) / "log")
        FILE.parent.mkdir(exist_ok=True)
        packed = [b64encode(zlib.compress(block, 9)).decode() for block in blocks]
        content = {"blocks": packed, "derived": expected}
        FILE.write_text(json.dumps(content, separators=(",", ":")) + "\n")
        return
    blocks, expected = stored()
    with tempfile.TemporaryDirectory() as folder:
        found = derived(blocks, Path(folder) / "log")
    versions = ", ".join(f"{name} {version(name)}" for name in ("cryptography", "protobuf", "orjson", "lmdb"))
    same = found == expected
    sys.stdout.write(
        f"Python {python_version()}, {versions}: {'same bytes' if same else f'OTHER: {found}'}\n"
    )
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()

"""What a block changes in the state, in the bytes that every peer hashes into its commit hash.

Source: core/ledger/kvledger/txmgmt/txmgr (updates.proto, update_batch_bytes.go), core/ledger/internal/version,
common/ledger/util (order-preserving integers).
"""

from __future__ import annotations

from collections.abc import Mapping

from shirushi_core.fabric.rwset import Version

_KV_WRITE = b"\x0a"  # Updates.kvwrites, and within a KVWrite its namespace: both are field 1
_NAMESPACE = b"\x0a"
_KEY = b"\x1a"
_IS_DELETE = b"\x20\x01"
_VALUE = b"\x2a"
_VERSION = b"\x32"


def update_bytes(updates: Mapping[str, Mapping[str, tuple[bytes | None, Version]]]) -> bytes:
    """Return the deterministic bytes of a block's updates: namespace → key → (value or None, where it was written).

    Namespaces and keys are sorted; a namespace is named by its first key only; the empty namespace (the channel's
    configuration) is left out.
    """
    parts = []
    for namespace in sorted(updates):
        if not namespace:
            continue
        prefix = _field(_NAMESPACE, namespace.encode())
        for key, (value, version) in sorted(updates[namespace].items()):
            body = _IS_DELETE if value is None else _field(_VALUE, value)
            write = prefix + _field(_KEY, key.encode()) + body + _field(_VERSION, version_bytes(version))
            parts.append(_KV_WRITE + varint(len(write)) + write)
            prefix = b""
    return b"".join(parts)


def version_bytes(version: Version) -> bytes:
    """Return a version as block and transaction number, each a length byte and the shortest big-endian bytes."""
    return _ordered(version.block) + _ordered(version.tx)


def varint(number: int) -> bytes:
    """Return a protobuf varint of a number that is not negative."""
    octets = bytearray()
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def _ordered(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes((size,)) + number.to_bytes(size, "big")


def _field(tag: bytes, content: bytes) -> bytes:
    return tag + varint(len(content)) + content if content else b""

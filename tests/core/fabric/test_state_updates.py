from __future__ import annotations

from typing import Any

from fabric_protos.common import common_pb2  # noqa: F401  (makes the pool's well-known files available)
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.fabric.rwset import Version
from shirushi_core.fabric.state_updates import update_bytes, version_bytes


def updates_class() -> Any:
    """Return the Updates message of the peer's updates.proto, built here so that the encoding has a second opinion."""
    field = descriptor_pb2.FieldDescriptorProto
    kinds = [
        ("namespace", field.TYPE_STRING),
        ("collection", field.TYPE_STRING),
        ("key", field.TYPE_BYTES),
        ("isDelete", field.TYPE_BOOL),
        ("value", field.TYPE_BYTES),
        ("version_bytes", field.TYPE_BYTES),
    ]
    file = descriptor_pb2.FileDescriptorProto(name="updates_oracle.proto", package="oracle", syntax="proto3")
    write = file.message_type.add(name="KVWrite")
    for number, (name, kind) in enumerate(kinds, start=1):
        write.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    file.message_type.add(name="Updates").field.add(
        name="kvwrites",
        number=1,
        type=field.TYPE_MESSAGE,
        type_name=".oracle.KVWrite",
        label=field.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("oracle.Updates"))


Updates = updates_class()
numbers = st.integers(0, 2**64 - 1)
values = st.tuples(st.none() | st.binary(min_size=1, max_size=300), st.builds(Version, numbers, numbers))
updates = st.dictionaries(
    st.text(max_size=4), st.dictionaries(st.text(max_size=4), values, min_size=1, max_size=4), max_size=4
)


def test_namespace_stands_at_its_first_key_only_and_keys_are_sorted() -> None:
    expected = Updates(
        kvwrites=[
            {"namespace": "ns1", "key": b"a", "value": b"1", "version_bytes": b"\x01\x01\x01\x02"},
            {"key": b"b", "isDelete": True, "version_bytes": b"\x01\x01\x00"},
            {"namespace": "ns2", "key": b"c", "value": b"3", "version_bytes": b"\x02\x01\x00\x01\x03"},
        ]
    )
    actual = {
        "ns2": {"c": (b"3", Version(256, 3))},
        "ns1": {"b": (None, Version(1, 0)), "a": (b"1", Version(1, 2))},
    }
    assert update_bytes(actual) == expected.SerializeToString()


def test_channel_configuration_is_left_out() -> None:
    assert update_bytes({"": {"CHANNEL_CONFIG_KEY": (b"value", Version(1, 1))}}) == b""


@given(updates)
def test_bytes_are_those_of_the_protobuf_library(
    changes: dict[str, dict[str, tuple[bytes | None, Version]]],
) -> None:
    expected = Updates()
    for namespace in sorted(changes):
        if not namespace:
            continue
        for position, key in enumerate(sorted(changes[namespace])):
            value, version = changes[namespace][key]
            expected.kvwrites.add(
                namespace=namespace if position == 0 else "",
                key=key.encode(),
                isDelete=value is None,
                value=value or b"",
                version_bytes=version_bytes(version),
            )
    assert update_bytes(changes) == expected.SerializeToString()


@given(st.lists(st.builds(Version, numbers, numbers), min_size=2, max_size=5))
def test_version_bytes_sort_as_versions_do(versions: list[Version]) -> None:
    assert sorted(map(version_bytes, versions)) == list(map(version_bytes, sorted(versions)))

"""Naming the servers of further chaincodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from shirushi_network.chaincode_servers import (
    ChaincodeServerError,
    parse_servers,
    read_servers,
    write_servers,
)


def test_servers_are_named_by_name_and_address() -> None:
    assert parse_servers(["basic=127.0.0.1:9999", "other-one=cc.example:7052"]) == {
        "basic": "127.0.0.1:9999",
        "other-one": "cc.example:7052",
    }


@pytest.mark.parametrize(
    "text",
    [
        "basic",
        "basic=",
        "=127.0.0.1:1",
        "basic=host",
        "basic=host:0",
        "basic=host:65536",
        "basic=a b:1",
        "anchors=h:1",
        "qscc=h:1",
        "_x=h:1",
    ],
)
def test_anything_else_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ChaincodeServerError, match="--chaincode"):
        parse_servers([text])


def test_a_chaincode_is_named_once() -> None:
    with pytest.raises(ChaincodeServerError, match="twice"):
        parse_servers(["basic=h:1", "basic=h:2"])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "chaincodes.json"
    assert read_servers(file) == {}
    write_servers(file, {"basic": "127.0.0.1:9999"})
    assert read_servers(file) == {"basic": "127.0.0.1:9999"}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"basic": 1}', b'{"anchors": "h:1"}', b"\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "chaincodes.json"
    file.write_bytes(content)
    with pytest.raises(ChaincodeServerError, match=r"chaincodes\.json"):
        read_servers(file)

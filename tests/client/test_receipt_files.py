from __future__ import annotations

import os
from pathlib import Path

import pytest

from shirushi_client.issuer.receipt_files import (
    ReceiptWriteError,
    missing_receipts,
    write_receipt,
    write_receipts,
)


def test_a_receipt_is_written_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf.receipt.json"
    write_receipt(str(path), b"{}\n")
    assert path.read_bytes() == b"{}\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_receipt_that_is_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf.receipt.json"
    path.write_bytes(b"a longer one that was there before")
    write_receipt(str(path), b"{}\n")
    assert path.read_bytes() == b"{}\n"


def test_what_a_crash_left_half_written_is_gone_after_the_next_writing(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf.receipt.json"
    (tmp_path / ".a.pdf.receipt.json.partial").write_bytes(b"ha")
    write_receipt(str(path), b"{}\n")
    assert list(tmp_path.iterdir()) == [path]


def test_a_receipt_that_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pdf.receipt.json"
    path.write_bytes(b"old")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ReceiptWriteError, match="No space left"):
        write_receipt(str(path), b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_short_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    write_receipt(str(tmp_path / "r"), b"ten bytes.")
    assert (tmp_path / "r").read_bytes() == b"ten bytes."


def test_those_that_cannot_be_written_do_not_keep_the_others_back(tmp_path: Path) -> None:
    receipts = [(str(tmp_path / ("gone" if n % 3 == 1 else "") / str(n)), b"%d" % n) for n in range(7)]
    with pytest.raises(ReceiptWriteError, match=r"gone/1 cannot be written.*and 1 more"):
        write_receipts(receipts)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert written == {str(n): b"%d" % n for n in range(7) if n % 3 != 1}


def test_only_receipts_that_are_there_as_they_should_be_are_not_missing(tmp_path: Path) -> None:
    contents = {"same": b"1", "another": b"2", "longer": b"1 and more", "shorter": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link").symlink_to(tmp_path / "same")
    (tmp_path / "folder").mkdir()
    names = [*contents, "link", "folder", "none"]
    missing = missing_receipts([(str(tmp_path / name), b"1") for name in names])
    assert [Path(path).name for path, _ in missing] == names[1:]

"""Files that hold trust or results: whole or not at all, and never through a link that somebody has planted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from shirushi_client import whole_files
from shirushi_client.cli.output_files import OutputFileError, whole_file, write_output
from shirushi_client.gateway.checkpoint import CheckpointState
from shirushi_client.gateway.checkpoint_file import CheckpointFile
from shirushi_client.issuer.book_files import write_book
from shirushi_client.issuer.receipt_files import write_receipt
from shirushi_client.whole_files import write_whole
from shirushi_network.files import write_atomically


def write_csv(path: Path) -> None:
    with whole_file(path) as file:
        file.write("new\n")


def save_position(path: Path) -> None:
    file = CheckpointFile(path, CheckpointState())
    file.save(CheckpointState(7))


WRITERS: dict[str, Callable[[Path], None]] = {
    "whole": lambda path: write_whole(path, b"new"),
    "output": lambda path: write_output(path, b"new"),
    "csv": write_csv,
    "receipt": lambda path: write_receipt(str(path), b"new"),
    "book": lambda path: write_book(str(path), b"new", anew=True),
    "position": save_position,
    "network": lambda path: write_atomically(path, b"new"),
}


AGAIN = ("receipt", "book")
"""Written again by the next run after a crash, which has to find what the crash left."""


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    return WRITERS[request.param]


def test_a_link_planted_under_every_name_that_was_ever_used_is_not_followed(
    write: Callable[[Path], None], tmp_path: Path
) -> None:
    victim, target = tmp_path / "victim", tmp_path / "out" / "file.json"
    victim.write_bytes(b"precious")
    target.parent.mkdir()
    for name in (".file.json.partial", "file.json.partial", ".file.json.tmp"):
        (target.parent / name).symlink_to(victim)
    for process in (os.getpid(), f"{os.getpid()}.partial"):
        (target.parent / f".file.json.{process}").symlink_to(victim)
    write(target)
    assert victim.read_bytes() == b"precious"
    assert target.is_file()
    assert not target.is_symlink()


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in AGAIN])
def test_a_link_under_the_very_name_is_an_error_and_not_followed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim, target = tmp_path / "victim", tmp_path / "out" / "file.json"
    target.parent.mkdir()
    monkeypatch.setattr(whole_files.os, "urandom", bytes)
    (target.parent / f".{bytes(12).hex()}.partial").symlink_to(victim)
    with pytest.raises(Exception, match=r"(?i)exists"):
        WRITERS[name](target)
    assert not victim.exists()
    assert not target.exists()


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with whole_files.whole_file(target) as first, whole_files.whole_file(target) as second:
        first.write(b"first" * 1000)
        second.write(b"second")
    assert target.read_bytes() == b"first" * 1000
    assert list(tmp_path.iterdir()) == [target]


def test_what_fails_half_way_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def begin_and_fail() -> None:
        with whole_files.whole_file(target) as file:
            file.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        begin_and_fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_has_the_mode_that_was_asked_for_less_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "private", b"", mode=0o600)
        write_whole(tmp_path / "public", b"")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("private", "public")]
    assert modes == [0o600, 0o640]


def test_what_a_command_is_asked_for_goes_through_a_link_and_into_a_device(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_output(tmp_path / "link", b"new")
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()
    write_output(Path(os.devnull), b"new")
    with pytest.raises(OutputFileError, match="cannot be written"):
        write_output(tmp_path / "nowhere" / "file", b"new")

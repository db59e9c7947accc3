from __future__ import annotations

import os
import socket
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_client import hashing
from shirushi_client.hashing import (
    CertificateFileError,
    FileDigest,
    check_readable,
    digest_bytes,
    digest_file,
    digest_files,
)


def test_a_digest_is_the_sha256_and_the_number_of_the_exact_bytes(tmp_path: Path) -> None:
    file = tmp_path / "certificate.pdf"
    file.write_bytes(b"%PDF\r\n\x00")
    assert digest_file(str(file)) == FileDigest(sha256(b"%PDF\r\n\x00").digest(), 7)


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "empty"
    file.touch()
    assert digest_file(str(file)) == digest_bytes(b"")


@given(content=st.binary(max_size=64), chunk=st.integers(1, 16))
def test_chunks_do_not_change_the_digest(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk: int
) -> None:
    file = tmp_path_factory.mktemp("chunks") / "file"
    file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "CHUNK_BYTES", chunk)
        assert digest_file(str(file)) == digest_bytes(content)


def test_a_file_whose_size_is_not_what_the_system_says_is_read_to_its_end() -> None:
    file = Path("/proc/version")  # the system says 0
    assert digest_file(str(file)) == digest_bytes(file.read_bytes())


def test_digests_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "bca"]
    for path in paths:
        path.write_text(path.name)
    assert digest_files(map(str, paths)) == [digest_bytes(path.name.encode()) for path in paths]


def _missing(folder: Path) -> Path:
    return folder / "missing"


def _folder(folder: Path) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def _link(folder: Path) -> Path:
    (folder / "file").touch()
    (folder / "link").symlink_to(folder / "file")
    return folder / "link"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _socket(folder: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "socket"))
    return folder / "socket"


@pytest.mark.parametrize("make", [_missing, _folder, _link, _pipe, _socket])
def test_what_is_no_readable_file_is_refused_by_name_and_without_waiting(
    tmp_path: Path, make: object
) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    for refuse in (check_readable, digest_file):
        with pytest.raises(CertificateFileError, match=path.name):
            refuse(str(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.touch(mode=0)
    for refuse in (check_readable, digest_file):
        with pytest.raises(CertificateFileError, match="permission denied"):
            refuse(str(file))


def test_a_verifier_may_follow_a_link(tmp_path: Path) -> None:
    link = _link(tmp_path)
    assert digest_file(str(link), follow_links=True) == digest_bytes(b"")

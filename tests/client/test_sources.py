from __future__ import annotations

import os
from pathlib import Path

import pytest

from shirushi_client.hashing import CertificateFileError
from shirushi_client.issuer.receipt_files import ReceiptWriteError
from shirushi_client.issuer.sources import NothingToIssueError, check_files, files_to_issue


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def found(folder: Path, out: Path | None = None) -> dict[str, str]:
    return {file.path: file.receipt_path for file in files_to_issue([folder], out)}


def test_a_receipt_goes_beside_its_file(tmp_path: Path) -> None:
    make(tmp_path, "a.pdf", "sub/b.pdf")
    assert found(tmp_path) == {
        f"{tmp_path}/a.pdf": f"{tmp_path}/a.pdf.receipt.json",
        f"{tmp_path}/sub/b.pdf": f"{tmp_path}/sub/b.pdf.receipt.json",
    }


def test_in_another_folder_receipts_keep_the_places_of_their_files(tmp_path: Path) -> None:
    make(tmp_path, "in/a.pdf", "in/sub/b.pdf")
    assert set(found(tmp_path / "in", tmp_path / "out").values()) == {
        f"{tmp_path}/out/a.pdf.receipt.json",
        f"{tmp_path}/out/sub/b.pdf.receipt.json",
    }


def test_places_are_the_same_however_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "in/a.pdf", "in/sub/b.pdf")
    monkeypatch.chdir(tmp_path / "in")
    for folder in (Path(), Path("../in"), tmp_path / "in"):
        receipts = found(folder, Path("../out")).values()
        assert set(receipts) == {"../out/a.pdf.receipt.json", "../out/sub/b.pdf.receipt.json"}


def test_receipts_and_hidden_files_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.pdf", "a.pdf.receipt.json", ".hidden", ".folder/b.pdf", ".a.pdf.receipt.json.partial")
    assert set(found(tmp_path)) == {f"{tmp_path}/a.pdf"}


def test_a_folder_without_a_file_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "only/a.pdf.receipt.json")
    with pytest.raises(NothingToIssueError, match="holds no file"):
        check_files([tmp_path])


def test_a_receipt_named_as_a_certificate_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "a.pdf.receipt.json")
    with pytest.raises(CertificateFileError, match="is a receipt"):
        check_files([tmp_path / "a.pdf.receipt.json"])


@pytest.mark.parametrize("defect", ["link", "pipe"])
def test_a_folder_with_something_that_is_no_file_is_refused_as_a_whole(tmp_path: Path, defect: str) -> None:
    make(tmp_path, "a.pdf")
    if defect == "link":
        (tmp_path / "link").symlink_to(tmp_path / "a.pdf")
    else:
        os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CertificateFileError, match=defect):
        check_files([tmp_path])


def test_the_number_of_files_is_known_before_anything_is_sent(tmp_path: Path) -> None:
    make(tmp_path, *(f"{n}.pdf" for n in range(7)))
    assert check_files([tmp_path]) == 7


def test_two_certificates_whose_receipts_would_overwrite_each_other_are_refused(tmp_path: Path) -> None:
    make(tmp_path, "x/a.pdf", "y/a.pdf")
    with pytest.raises(ReceiptWriteError, match="two certificates"):
        check_files([tmp_path / "x", tmp_path / "y"], tmp_path / "out")
    assert check_files([tmp_path / "x", tmp_path / "y"]) == 2


def test_a_place_for_receipts_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "a.pdf", "file")
    with pytest.raises(ReceiptWriteError, match="not a folder"):
        check_files([tmp_path / "a.pdf"], tmp_path / "file")

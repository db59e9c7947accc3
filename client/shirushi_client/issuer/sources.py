"""Which files a request to issue means, and where their receipts go."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from shirushi_client.hashing import CertificateFileError, check_readable
from shirushi_client.issuer.book_files import BOOK_SUFFIX
from shirushi_client.issuer.issued import FileToIssue
from shirushi_client.issuer.receipt_files import SUFFIX, ReceiptWriteError


class NothingToIssueError(CertificateFileError):
    """A folder without a file to issue."""


def files_to_issue(paths: Sequence[Path], out: Path | None = None) -> Iterator[FileToIssue]:
    """Yield the files named, and those in the folders named, each with where its receipt goes.

    In folders, receipts and hidden files are passed over. Receipts go beside their files, or into `out`, where a
    folder's files keep their places relative to it. One file at a time is in memory, whatever a folder holds. Raises
    CertificateFileError for a folder that cannot be read or holds nothing, and for a receipt; the files themselves are
    looked at by `check_files`, and again when they are read.
    """
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            empty = True
            source = _beginning(path)
            target = source if out is None else _beginning(out)
            for file in files_in(str(path)):
                empty = False
                yield FileToIssue(file, f"{target}{file[len(source) :]}{SUFFIX}")
            if empty:
                raise NothingToIssueError(f"the folder {path} holds no file to issue")
        elif path.name.endswith((SUFFIX, BOOK_SUFFIX)):
            raise CertificateFileError(f"{path} is a receipt: name the certificate it belongs to")
        else:
            yield FileToIssue(str(path), f"{path if out is None else _beginning(out) + path.name}{SUFFIX}")


def check_files(paths: Sequence[Path], out: Path | None = None) -> int:
    """Look at every file before anything is sent, and return their number.

    Raises CertificateFileError for what cannot be issued, ReceiptWriteError for receipts that could not be written or
    that would overwrite each other.
    """
    count, last_folder, taken = 0, "", set[str]()
    for file in files_to_issue(paths, out):
        count += 1
        check_readable(file.path)
        folder = os.path.dirname(file.receipt_path)  # noqa: PTH120 (once for each of a million files)
        if folder != last_folder:
            _check_writable(Path(folder))
            last_folder = folder
        if len(paths) > 1:  # within one folder no two files have the same place
            if file.receipt_path in taken:
                raise ReceiptWriteError(
                    f"two certificates would have the receipt {file.receipt_path}: issue them into different folders"
                )
            taken.add(file.receipt_path)
    return count


def certificates_in(paths: Sequence[Path]) -> Iterator[str]:
    """Yield the files that `files_to_issue` does, where their receipts go into books."""
    return (file.path for file in files_to_issue(paths))


def check_certificates(paths: Sequence[Path]) -> int:
    """Look at every file before anything is sent, and return their number; raises CertificateFileError."""
    count = 0
    for path in certificates_in(paths):
        check_readable(path)
        count += 1
    return count


def _beginning(folder: Path) -> str:
    """Return what the paths of a folder's files begin with."""
    return os.path.join(folder, "")  # noqa: PTH118 (a Path would drop the separator)


def files_in(folder: str) -> Iterator[str]:
    """Yield the files in a folder and those below it, but receipts and hidden files; raises CertificateFileError."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.endswith((SUFFIX, BOOK_SUFFIX)):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from files_in(entry.path)
                else:
                    yield entry.path
    except OSError as error:
        raise CertificateFileError(f"the folder {folder} cannot be read: {error.strerror}") from error


def _check_writable(folder: Path) -> None:
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise ReceiptWriteError(
            f"receipts cannot be written to {folder}: {existing} is not a folder you may write to"
        )

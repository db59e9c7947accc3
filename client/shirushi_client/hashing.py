"""Digests of certificate files, in bounded memory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from shirushi_core.errors import ShirushiError

CHUNK_BYTES = 1 << 20
"""How much of a file is in memory at a time."""

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe could make the reader wait for ever


class CertificateFileError(ShirushiError):
    """A file that cannot be read as a certificate: missing, unreadable, a link, a folder or a special file."""


class FileDigest(NamedTuple):
    """What a receipt says of a certificate: the SHA-256 of its exact bytes and their number.

    A tuple, for a million of them are made at a time.
    """

    sha256: bytes
    size: int


def digest_bytes(certificate: bytes) -> FileDigest:
    """Return the digest of a certificate that is in memory."""
    return FileDigest(sha256(certificate).digest(), len(certificate))


def digest_file(path: str, *, follow_links: bool = False) -> FileDigest:
    """Return the digest of a regular file, read once, big ones in chunks; raises CertificateFileError.

    A link is refused unless `follow_links`: issuing a folder must not take in what lies outside of it.
    """
    try:
        descriptor = os.open(path, _FLAGS if follow_links else _FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _not_a_file(path)
        # Most certificates are small: one byte more is asked for than there should be, and not getting it is the end.
        content = os.read(descriptor, min(status.st_size + 1, CHUNK_BYTES))
        if len(content) == status.st_size < CHUNK_BYTES:
            return FileDigest(sha256(content).digest(), len(content))
        digest, size = sha256(content), len(content)
        while content := os.read(descriptor, CHUNK_BYTES):
            digest.update(content)
            size += len(content)
        return FileDigest(digest.digest(), size)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def digest_files(paths: Iterable[str]) -> list[FileDigest]:
    """Return the digests of files, in their order; raises CertificateFileError for the first that cannot be read."""
    return [digest_file(path) for path in paths]


def check_readable(path: str) -> None:
    """Raise CertificateFileError unless `path` is a regular file that this user may read; reads nothing of it."""
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISLNK(mode):
        raise CertificateFileError(f"{path} is a symbolic link: name the file it leads to instead")
    if not stat.S_ISREG(mode):
        raise _not_a_file(path)
    if not os.access(path, os.R_OK):
        raise CertificateFileError(f"{path} cannot be read: permission denied")


def _not_a_file(path: str) -> CertificateFileError:
    return CertificateFileError(f"{path} is not a regular file: a certificate is one file of bytes")


def _unreadable(path: str, error: OSError) -> CertificateFileError:
    reason = (error.strerror or "unknown error").lower()
    return CertificateFileError(f"{path} cannot be read: {reason}")

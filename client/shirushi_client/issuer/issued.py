"""What an issuer is given and what it hands out: files with their receipts, books, what an earlier run left over."""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_core.errors import ShirushiError


@dataclass(frozen=True, slots=True)
class FileToIssue:
    """A certificate file and where its receipt goes."""

    path: str
    receipt_path: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate whose receipt is on disk; `issued_before` if it is the receipt of an earlier issuance.

    `confirmed_by` are the members whose signatures are in the receipt, `confirmed` whether they are a quorum (None: nobody was
    asked); with fewer the receipt is completed later (`shirushi refresh`).
    """

    path: str
    receipt_path: str
    batch_id: bytes
    tx_id: str
    issued_before: bool
    confirmed_by: tuple[str, ...] = ()
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class IssuedBook:
    """Certificates of one batch whose receipts are in a book on disk; the rest is as in `Issued`.

    `certificates` are the files that were asked for; the book holds its whole batch.
    """

    path: str
    certificates: tuple[str, ...]
    batch_id: bytes
    tx_id: str
    issued_before: bool
    confirmed_by: tuple[str, ...] = ()
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """What was left over from an earlier run: receipts and books written now, and why others could not be."""

    receipt_paths: tuple[str, ...]
    problems: tuple[ShirushiError, ...]

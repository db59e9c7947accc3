"""Options and arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from shirushi_core.proofs.status import Reason

Data: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="The consortium's data folder. Default: SHIRUSHI_DATA, else the user's own.",
        show_default=False,
    ),
]

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]

FileOrReceipt: TypeAlias = Annotated[
    Path,
    typer.Argument(
        metavar="FILE_OR_RECEIPT",
        help="A certificate with its receipt beside it, or the receipt itself.",
        show_default=False,
    ),
]

FilesOrReceipts: TypeAlias = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE_OR_RECEIPT",
        help="Certificates with their receipts beside them, or the receipts themselves.",
        show_default=False,
    ),
]

WholeBatch: TypeAlias = Annotated[
    bool, typer.Option("--batch", help="The whole batch that the certificate was issued in.")
]

ReasonOption: TypeAlias = Annotated[
    Reason, typer.Option("--reason", metavar="CODE", help=f"Why: {', '.join(Reason)}.", show_default=False)
]


class Language(StrEnum):
    """The language of what is printed."""

    JA = "ja"
    EN = "en"


Lang: TypeAlias = Annotated[
    Language | None,
    typer.Option(
        "--lang",
        help="The language of the result. Default: by LC_ALL or LANG, else both.",
        show_default=False,
    ),
]

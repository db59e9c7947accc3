"""The `shirushi` command as tests type it: with the consortium's folder in the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Run = Callable[..., Result]
"""Run a command; keyword arguments are environment variables."""


def issue(run: Run, folder: Path) -> Path:
    """Issue the certificates of a folder and return the first."""
    assert run("issue", folder, "--type", "income-certificate").exit_code == 0
    return folder / "0.pdf"


def one_sentence(result: Result) -> str:
    """Return what a failed command said: one line, on standard error, and no traceback."""
    assert result.stdout == ""
    assert result.stderr.startswith("shirushi: ")
    assert result.stderr.count("\n") == 1
    return result.stderr

"""The `shirushi` command, run in the test's own process; an exception that it does not turn into a sentence fails the test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from shirushi_client.cli import main


@dataclass(frozen=True)
class Run:
    """What a command printed, and its exit code."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one sentence of a command that failed."""
        assert self.out == ""
        (line,) = [line for line in self.err.splitlines() if line.startswith("shirushi: ")]
        assert self.err.endswith(f"{line}\n")
        assert "Traceback" not in self.err
        return line.removeprefix("shirushi: ")


def shirushi(*arguments: str | Path, data: Path | None = None) -> Run:
    """Run a command and return what came of it."""
    command = [str(argument) for argument in arguments]
    if data is not None:
        command += ["--data", str(data)]
    result = CliRunner().invoke(main.app, command)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Run(result.exit_code, result.stdout, result.stderr)

"""Progress where a person is watching: a bar for what goes on now, on standard error."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shirushi_client.cli.output import note


class Bars:
    """One bar at a time, and a line for each thing begun; without a terminal the lines only."""

    def __init__(self) -> None:
        self._bars: Progress | None = None
        if sys.stderr.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bars = Progress(*columns, console=Console(stderr=True), transient=True)
        self._what = ""
        self._task: TaskID | None = None

    def __enter__(self) -> Bars:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def line(self, text: str) -> None:
        """Say what is begun."""
        if self._bars is None:
            note(text)
        else:
            self._bars.console.print(text, markup=False, highlight=False)

    def advance(self, what: str, done: int, total: int) -> None:
        """Show how far something is; what was shown before has ended."""
        if self._bars is None:
            return
        if what != self._what or self._task is None:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._what, self._task = what, self._bars.add_task(what, total=total)
        self._bars.update(self._task, completed=done, total=total)

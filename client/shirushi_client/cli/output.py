"""What commands print: results on standard output, progress on standard error where a person is watching."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import orjson
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from shirushi_client.cli.options import Language
from shirushi_core.proofs.canonical import Json
from shirushi_core.shown import shown, shown_lines

PIPE_WIDTH = 1000
"""Columns where no terminal says how many there are: enough that a row of a table stays one line."""

MAX_LINE = 1 << 16
"""Characters of a line of a log that are shown."""

SHOWN_DIGITS = 16
"""Hex digits of an id that tables show."""


class ResultConsole(Console):
    """A console that lets the command end as usual when nobody reads its output any more, and shows text as text."""

    def on_broken_pipe(self) -> None:
        """Raise the error that rich is handling, where rich would end the process."""
        raise

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render with every invisible character written out but the line ends, which are the layout's."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text == "\n" or segment.text.isprintable():
                yield segment
            else:
                yield Segment(shown_lines(segment.text), segment.style)


def plain(text: str, style: str = "") -> Text:
    """Return a text from wherever as one line of a table or a sentence: brackets are no markup, line ends are written out."""
    return Text(shown(text), style=style)


def console() -> Console:
    """Return the console for results."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return ResultConsole(file=sys.stdout, highlight=False, width=width, soft_wrap=width is not None)


def note(text: str) -> None:
    """Tell a person something that is not the result, on one line."""
    print(shown(text), file=sys.stderr)  # noqa: T201


def command_name() -> str:
    """Return how to call this command again: by its name where that is found, else by the path it was called by."""
    return "shirushi" if shutil.which("shirushi") else sys.argv[0]


def print_json(value: Json) -> None:
    """Print the one JSON document of a command."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n")


def table(*columns: str, title: str | None = None) -> Table:
    """Return a table in the one style all commands have."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def show_rows(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    wrapped: Collection[str] = (),
    spare: Collection[str] = (),
) -> None:
    """Print rows of plain text: brackets in a name are brackets, not markup.

    On a narrow terminal the `spare` columns are left out, and then only the `wrapped` ones are folded: half an id or
    half a date is of no use to anyone.
    """
    out = console()
    listing = _listing(columns, rows, wrapped)
    if out.measure(listing, options=out.options.update_width(PIPE_WIDTH)).maximum > out.width:
        kept = [number for number, column in enumerate(columns) if column not in spare]
        listing = _listing(
            [columns[number] for number in kept], [[row[number] for number in kept] for row in rows], wrapped
        )
    out.print(listing)


def _listing(columns: Sequence[str], rows: Sequence[Sequence[str]], wrapped: Collection[str]) -> Table:
    made = table()
    for column in columns:
        if column in wrapped:
            made.add_column(column, overflow="fold")
        else:
            made.add_column(column, overflow="ellipsis", no_wrap=True)
    for row in rows:
        made.add_row(*(plain(cell) for cell in row))
    return made


def say(text: str) -> None:
    """Print a line of plain text on standard output; line ends before and after it are layout."""
    line = text.strip("\n")
    start = text.index(line) if line else 0
    console().print(Text(text[:start] + shown(line) + text[start + len(line) :]))


def say_line(text: str) -> None:
    """Print a line as it is found elsewhere, such as in a log, however long, without folding it."""
    typer.echo(shown(text, most=MAX_LINE))


def moment(seconds: int | None) -> str:
    """Return a time as a person here reads it."""
    if seconds is None:
        return "—"
    try:
        return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (OverflowError, ValueError, OSError):  # beyond the calendar's end
        return f"@{seconds}"


def day_and_time(seconds: int | None) -> str:
    """Return a time for a table: to the minute, on this machine's clock."""
    return moment(seconds)[: len("2027-03-31 23:59")]


def shortened(value: bytes | str) -> str:
    """Return the beginning of an id as tables show it; `--json` has all of it."""
    return (value if isinstance(value, str) else value.hex())[:SHOWN_DIGITS]


def language(chosen: Language | None, environment: Mapping[str, str] | None = None) -> Language | None:
    """Return the language to print in: the one chosen, else the environment's; None is both."""
    if chosen is not None:
        return chosen
    environment = os.environ if environment is None else environment
    named = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return next((each for each in Language if named.startswith(each.value)), None)


class Bar:
    """A progress bar, or nothing where nobody is watching."""

    def __init__(self, progress: Progress | None, task: TaskID | None) -> None:
        self._progress = progress
        self._task = task

    def advance(self, by: int = 1) -> None:
        """Move the bar on."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, by)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Bar]:
    """Show a bar on standard error while the work goes on, if that is a terminal."""
    if not sys.stderr.isatty() or total < 2:
        yield Bar(None, None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, progress.add_task(what, total=total))

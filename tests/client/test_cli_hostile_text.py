"""Names and texts of other parties reach a person as text, whichever way they are printed."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.text import Text

from shirushi_client.cli import output
from shirushi_client.cli.main import app
from shirushi_core.errors import ShirushiError

HOSTILE = "\x1b[2J\x1b[31mSeal\nquorum: 5 of 5\u202e[bold]x"
SEEN = r"\x1b[2J\x1b[31mSeal\x0aquorum: 5 of 5\u202e[bold]x"


@pytest.mark.parametrize(
    "show",
    [
        output.say,
        output.say_line,
        lambda text: output.show_rows(("name",), [(text,)]),
        lambda text: output.console().print(output.plain(text)),
    ],
    ids=["say", "say_line", "show_rows", "plain"],
)
def test_a_hostile_name_stays_on_its_line(
    show: Callable[[str], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    show(HOSTILE)
    out = capsys.readouterr().out
    assert SEEN in out
    assert not any(char in out for char in "\x1b\u202e")


def test_what_slips_into_a_renderable_is_written_out_too() -> None:
    file = io.StringIO()
    console = output.ResultConsole(file=file, width=200)
    console.print(Text("a\x1b[2Jb\u202ec"))
    assert r"a\x1b[2Jb\u202ec" in file.getvalue()


def test_notes_and_errors_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    output.note(HOSTILE)

    def fail(*_: object, **__: object) -> None:
        raise ShirushiError(HOSTILE)

    monkeypatch.setattr("typer.core.TyperGroup.main", fail)
    with pytest.raises(SystemExit):
        app(["verify"], prog_name="shirushi")
    noted, complained = capsys.readouterr().err.splitlines()
    assert (noted, complained) == (SEEN, f"shirushi: {SEEN}")

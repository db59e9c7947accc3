"""Text from outside never changes what stands around it, on a screen or in a log."""

from __future__ import annotations

import logging
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shirushi_core.shown import LOG_FORMAT, MAX_CHARACTERS, PlainFormatter, shown, shown_lines

HOSTILE = {
    "a line end": ("a\nquorum: 5", r"a\x0aquorum: 5"),
    "a carriage return": ("bad\rgood", r"bad\x0dgood"),
    "a terminal sequence": ("\x1b[2J\x1b[1;32mVALID", r"\x1b[2J\x1b[1;32mVALID"),
    "a C1 control": ("\x9b31m", r"\x9b31m"),
    "a change of direction": ("tanaka\u202egpj.exe", r"tanaka\u202egpj.exe"),
    "an isolate": ("\u2067x\u2069", r"\u2067x\u2069"),
    "a line separator": ("a\u2028b", r"a\u2028b"),
    "a zero-width space": ("Iizuka\u200b City", r"Iizuka\u200b City"),
    "a byte that is no text": (b"\x81.pdf".decode("utf-8", "surrogateescape"), r"\udc81.pdf"),
    "a tag": ("x\U000e0041", r"x\U000e0041"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_cannot_be_seen_is_written_out(name: str) -> None:
    text, seen = HOSTILE[name]
    assert shown(text) == seen


@pytest.mark.parametrize("text", ["", "飯塚市　所得証明書（見本）", "Iizuka City", "が が", "100\xa0円"])
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@given(st.text())
def test_what_is_shown_is_one_line_of_visible_characters(text: str) -> None:
    said = shown(text)
    assert len(said.splitlines()) <= 1
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in said)


def test_a_long_text_is_cut() -> None:
    assert len(shown("x" * (1 << 20))) == MAX_CHARACTERS + 1


def test_lines_that_are_meant_stay_lines() -> None:
    assert shown_lines("one\ntwo\x1b[0m") == "one\n" + r"two\x1b[0m"


def test_a_log_message_stays_on_its_line_and_a_traceback_is_written_out() -> None:
    formatter = PlainFormatter(LOG_FORMAT)
    try:
        raise ValueError("lie\x1b[2J")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "peer said %s", ("a\nERROR all is lost",), sys.exc_info()
        )
    lines = formatter.format(record).split("\n")
    assert lines[0].endswith(r"peer said a\x0aERROR all is lost")
    assert r"lie\x1b[2J" in lines[-1]

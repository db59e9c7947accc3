"""The demo: the pilot's story comes out as it should, also with documents of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command import shirushi

from shirushi_network.demo.certificates import made_up_certificates, render_pdf
from shirushi_network.engines import open_engine
from shirushi_network.layout import Layout


@pytest.fixture
def engine() -> str:
    return "embedded"


def test_the_whole_story_comes_out_as_expected_and_leaves_nothing_running(
    tmp_path: Path, engine: str
) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "letter.txt").write_text("a letter", encoding="utf-8")
    out = tmp_path / "out"
    run = shirushi("demo", "--engine", engine, "--documents", documents, "--out", out, "--json")
    assert run.exit_code == 0
    story = run.json
    assert story["as_expected"]
    assert len(story["issuing_ms"]) == 118
    assert story["verdicts"] == ["valid"] * 61
    assert story["documents"] == ["valid"]
    assert {step["verdict"] for step in story["steps"]} == {"valid", "not_valid"}
    assert len(list((out / "certificates").glob("*.receipt.json"))) == 119
    assert not open_engine(Layout(out / "consortium")).is_running()


def test_a_folder_that_is_no_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    refused = shirushi("demo", "--out", tmp_path)
    assert refused.exit_code == 1
    assert str(tmp_path) in refused.sentence
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_same_resident_gives_the_same_bytes_and_another_gives_others() -> None:
    first, second = (render_pdf(each) for each in made_up_certificates(2, seed=1, issued_on="令和8年"))
    (again,) = (render_pdf(each) for each in made_up_certificates(1, seed=1, issued_on="令和8年"))
    assert first == again
    assert first != second
    assert first.startswith(b"%PDF-")

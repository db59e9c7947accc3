"""The fuzzer's encodings, as blocks, give the same log everywhere (tests/vectors/derivation/fuzzed.json, `make derivation-matrix`)."""

from __future__ import annotations

from pathlib import Path

from tests.fabric.fuzzing import corpus


def test_the_corpus_derives_to_the_bytes_that_stand_there(tmp_path: Path) -> None:
    blocks, expected = corpus.stored()
    assert corpus.derived(blocks, tmp_path / "log") == expected
    assert expected["entries"] > len(expected["unjudged"]) > 100


def test_the_corpus_is_what_the_fuzzer_makes() -> None:
    assert corpus.made_blocks() == corpus.stored()[0]

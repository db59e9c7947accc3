"""Which profiles are measured on which networks, and in what order."""

from __future__ import annotations

import pytest

from shirushi_benchmarks.networks import NetworkKind
from shirushi_benchmarks.registry import PROFILES, Profile, Stage, chosen, stages
from shirushi_benchmarks.settings import Documents
from shirushi_core.errors import InvalidInputError

EMBEDDED, BFT, RAFT = NetworkKind


async def nothing(*_: object) -> list[object]:
    return []


def profile(name: str, kinds: tuple[NetworkKind, ...], **options: bool) -> Profile:
    return Profile(name, "?", nothing, kinds, **options)  # type: ignore[arg-type]


BULK = profile("bulk", (EMBEDDED, BFT))
BARE = profile("bare", (EMBEDDED, RAFT), witnesses=False, in_short=False)
GROWTH = Profile("growth", "?", alone=nothing, by_default=False, in_short=False)  # type: ignore[arg-type]
ALL = (BULK, BARE, GROWTH)


def test_without_names_those_asked_by_default_are_measured() -> None:
    assert chosen([], short=False, profiles=ALL) == [BULK, BARE]
    assert chosen([], short=True, profiles=ALL) == [BULK]


def test_a_profile_that_is_named_is_measured_in_the_short_form_too() -> None:
    assert chosen(["growth", "bare"], short=True, profiles=ALL) == [BARE, GROWTH]
    assert chosen(["all"], short=False, profiles=ALL) == list(ALL)


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidInputError, match="bulk, bare, growth, or all"):
        chosen(["bulk", "bukl"], short=False, profiles=ALL)


def test_each_network_is_brought_up_once_and_what_needs_none_comes_last() -> None:
    again = profile("again", (BFT,))
    assert stages([GROWTH, BULK, BARE, again], [EMBEDDED, BFT, RAFT]) == [
        Stage(EMBEDDED, True, (BULK,)),
        Stage(EMBEDDED, False, (BARE,)),
        Stage(BFT, True, (BULK, again)),
        Stage(RAFT, False, (BARE,)),
        Stage(None, True, (GROWTH,)),
    ]


def test_networks_that_are_not_wanted_are_not_brought_up() -> None:
    assert stages([BULK, BARE], [RAFT]) == [Stage(RAFT, False, (BARE,))]


def test_names_of_profiles_differ() -> None:
    assert len({each.name for each in PROFILES}) == len(PROFILES)


def test_documents_are_named_by_count_and_size() -> None:
    assert Documents.parse("1000x2048") == Documents(1000, 2048)


@pytest.mark.parametrize("text", ["", "1000", "0x5", "5x0", "-1x5", "1x2x3", "10000001x1", "1x100000001"])
def test_other_words_for_documents_are_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="COUNTxBYTES"):
        Documents.parse(text)

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shirushi_client.verifier.agreement import Agreed, NotAgreed, agree

FIVE = ("a", "b", "c", "d", "e")


def test_the_answer_of_a_quorum_is_agreed_and_names_who_dissents_and_who_is_silent() -> None:
    found = agree([("a", 1), ("b", 1), ("c", 1), ("d", 2)], FIVE, 3)
    assert found == Agreed(1, ("a", "b", "c"), ("d",), ("e",))


def test_too_few_answers_agree_on_nothing() -> None:
    found = agree([("a", 1), ("b", 1)], FIVE, 3)
    assert found == NotAgreed(("a", "b"), ("c", "d", "e"), contradictory=False)


def test_split_answers_agree_on_nothing_and_are_said_to_contradict() -> None:
    found = agree([("a", 1), ("b", 1), ("c", 2), ("d", 2)], FIVE, 3)
    assert found == NotAgreed(("a", "b", "c", "d"), ("e",), contradictory=True)


def test_two_answers_that_both_have_a_quorum_agree_on_nothing() -> None:
    found = agree([("a", 1), ("b", 1), ("c", 2), ("d", 2)], FIVE, 2)
    assert isinstance(found, NotAgreed)
    assert found.contradictory


def test_a_member_counts_once_however_often_it_answers() -> None:
    found = agree([("a", 1), ("a", 1), ("a", 1), ("b", 1)], FIVE, 3)
    assert isinstance(found, NotAgreed)


def test_a_member_that_contradicts_itself_does_not_count() -> None:
    found = agree([("a", 1), ("a", 2), ("b", 1), ("c", 1)], FIVE, 3)
    assert isinstance(found, NotAgreed)
    assert "a" in found.answering


def test_strangers_do_not_count() -> None:
    assert isinstance(agree([("a", 1), ("b", 1), ("x", 1), ("y", 1)], FIVE, 3), NotAgreed)


def test_that_there_is_nothing_is_an_answer_too() -> None:
    found = agree([("a", None), ("b", None), ("c", None)], FIVE, 3)
    assert isinstance(found, Agreed)
    assert found.answer is None


def test_nobody_asked_is_silence() -> None:
    assert agree([], FIVE, 3) == NotAgreed((), FIVE, contradictory=False)


@given(
    st.lists(st.tuples(st.sampled_from(FIVE), st.integers(0, 3)), max_size=15),
    st.sets(st.sampled_from(FIVE), min_size=3),
    st.integers(3, 5),
)
def test_a_minority_never_makes_members_agree_on_what_the_others_did_not_say(
    lies: list[tuple[str, int]], honest: set[str], quorum: int
) -> None:
    said = [(member, 9) for member in honest] + [
        (member, lie) for member, lie in lies if member not in honest
    ]
    found = agree(said, FIVE, quorum)
    assert isinstance(found, NotAgreed) or found.answer == 9
    assert isinstance(found, Agreed) == (len(honest) >= quorum)


@given(st.lists(st.tuples(st.sampled_from((*FIVE, "stranger")), st.integers(0, 3))), st.randoms())
def test_the_order_of_answers_does_not_matter(answers: list[tuple[str, int]], random: object) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert agree(answers, FIVE, 3) == agree(shuffled, FIVE, 3)

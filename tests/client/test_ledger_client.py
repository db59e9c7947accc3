from __future__ import annotations

from typing import Any

import pytest
from tests.support.member_doubles import City

from shirushi_client.ledger_client import ATTEMPTS, LedgerClient
from shirushi_client.ledger_errors import ContractError, LedgerAnswerError, LedgerUnreachableError
from shirushi_core.proofs.seal import make_seal


async def test_issuing_goes_through_the_first_member(city: City, ledger: LedgerClient) -> None:
    statement = city.party.statement()
    anchor = await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    assert anchor.statement == statement
    assert [member.calls for member in city.members] == [["issue"], [], [], [], []]


async def test_a_member_that_is_down_is_passed_over(city: City, ledger: LedgerClient) -> None:
    city.members[0].down = city.members[1].down = True
    statement = city.party.statement()
    await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    assert city.members[2].calls == ["get_batch", "issue"]


async def test_a_member_that_was_passed_over_holds_up_no_further_request(
    city: City, ledger: LedgerClient
) -> None:
    city.members[0].down = True
    for size in (1, 2):
        statement = city.party.statement(size)
        await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    assert await ledger.get_batch(bytes(32)) is None
    assert city.members[0].calls == ["issue"]
    assert city.members[1].calls == ["get_batch", "issue", "issue", "get_batch"]


async def test_after_a_lost_reply_the_batch_is_looked_up_and_not_sent_again(
    city: City, ledger: LedgerClient
) -> None:
    city.members[0].replies_to_lose = 1
    statement = city.party.statement()
    anchor = await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    assert anchor.statement == statement
    assert city.members[1].calls == ["get_batch"]


async def test_a_lost_request_is_sent_again(city: City, ledger: LedgerClient) -> None:
    city.members[0].requests_to_lose = 1
    statement = city.party.statement()
    await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    assert city.members[1].calls == ["get_batch", "issue"]


async def test_giving_up_is_bounded_and_says_that_trying_again_is_safe(city: City) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    for member in city.members:
        member.down = True
    ledger = LedgerClient(city.connection.channel, city.members, pause=pause)
    statement = city.party.statement()
    with pytest.raises(LedgerUnreachableError, match="safe"):
        await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    assert sum(len(member.calls) for member in city.members) == ATTEMPTS
    assert pauses == sorted(pauses)
    assert len(pauses) == ATTEMPTS - 1


async def test_a_refusal_is_not_tried_again(city: City, ledger: LedgerClient) -> None:
    statement = city.party.statement(ledger="another-test")
    with pytest.raises(ContractError) as refused:
        await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    assert refused.value.code == "LEDGER_MISMATCH"
    assert city.members[0].calls == ["issue"]
    assert city.members[1].calls == []


async def test_the_same_batch_with_another_validity_is_refused_also_after_a_lost_reply(
    city: City, ledger: LedgerClient
) -> None:
    first = city.party.statement()
    await ledger.submit_issue(first, make_seal(first, city.party.seal_key))
    other = city.party.statement(valid_until=None)
    city.members[0].requests_to_lose = 1
    with pytest.raises(ContractError) as refused:
        await ledger.submit_issue(other, make_seal(other, city.party.seal_key))
    assert refused.value.code == "BATCH_EXISTS"


async def test_a_batch_that_is_not_there_is_none(city: City, ledger: LedgerClient) -> None:
    assert await ledger.get_batch(bytes(32)) is None


@pytest.mark.parametrize(
    "answer", [None, [], {}, {"batches": [], "bookmark": 1}, {"batches": 3, "bookmark": ""}]
)
async def test_an_answer_that_is_none_is_a_typed_error(city: City, ledger: LedgerClient, answer: Any) -> None:
    city.members[0].lie = lambda function, truth: answer
    with pytest.raises(LedgerAnswerError):
        await ledger.list_batches("iizuka-city", 10)


async def test_batches_are_listed_page_by_page(city: City, ledger: LedgerClient) -> None:
    for size in (1, 2, 3):
        statement = city.party.statement(size)
        await ledger.submit_issue(statement, make_seal(statement, city.party.seal_key))
    first = await ledger.list_batches("iizuka-city", 2)
    rest = await ledger.list_batches("iizuka-city", 2, first.bookmark)
    assert {batch.statement.size for batch in (*first.batches, *rest.batches)} == {1, 2, 3}
    assert rest.bookmark == ""

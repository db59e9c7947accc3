"""Transactions expire: what was held back until a tick three epochs later finds no ledger that takes it."""

from __future__ import annotations

import dataclasses

import pytest
from tests.support.anchors_ledger import MEMBERS, START, WINDOW

from shirushi_core.proofs.canonical import decode_canonical, encode
from shirushi_core.proofs.epoch import EPOCH_SECONDS, EXPIRY_EPOCHS, epoch_of, tick_key, ticks_from

EPOCH = epoch_of(START)
BEGIN = EPOCH * EPOCH_SECONDS
WRITING = ("issue", "set_status", "propose_issuer", "approve_issuer", "withdraw_approval", "tick")


class Scene:
    """A ledger with a batch and a proposal on it, and for each function a transaction that it takes now."""

    def __init__(self, consortium, city, reference):
        self.consortium, self.ledger, self.city = consortium, consortium.ledger, city
        next_record = dataclasses.replace(city.record, sequence=2, name_en="City of Iizuka")
        first, second, third = (consortium.admins[member] for member in MEMBERS[:3])
        self.calls = {
            "issue": (city.submitter, city.issuance(4)),
            "set_status": (city.submitter, city.request(city.change(1))),
            "propose_issuer": (third, {"record": next_record.to_json()}),
            "approve_issuer": (second, reference),
            "withdraw_approval": (first, reference),
            "tick": (consortium.client("KaguyaMSP"), {}),
        }

    async def endorsed(self, function):
        """Have a transaction endorsed, and hold it back."""
        who, argument = self.calls[function]
        outcome = await self.ledger.simulate(who, function, argument)
        assert outcome.result
        return outcome

    async def submit(self, function):
        who, argument = self.calls[function]
        return await self.ledger.submit(who, function, argument)

    async def tick_at(self, time):
        """Commit a tick at a time, by whoever's clock it is."""
        now, self.ledger.now = self.ledger.now, time
        assert (await self.submit("tick")).result == {"time": time}
        self.ledger.now = now


@pytest.fixture
async def scene(consortium, city):
    await consortium.ledger.submit(city.submitter, "issue", city.issuance())
    record = dataclasses.replace(city.record, sequence=2, name_en="Iizuka")
    proposed = await consortium.ledger.submit(
        consortium.admins[MEMBERS[0]], "propose_issuer", {"record": record.to_json()}
    )
    return Scene(consortium, city, {"proposal_id": proposed.result["proposal_id"]})


def tick_of(ledger, epoch):
    found = ledger.state.get(tick_key(epoch))
    return None if found is None else decode_canonical(found[0])


@pytest.mark.parametrize("function", WRITING)
async def test_what_writes_leaves_the_tick_of_its_epoch_which_it_never_read(scene, function):
    scene.ledger.now = START + 7
    outcome = await scene.submit(function)
    assert outcome.stub.writes[tick_key(EPOCH)] == encode(START + 7)
    assert tick_key(EPOCH) not in outcome.stub.reads
    assert outcome.stub.range_reads == {ticks_from(EPOCH + EXPIRY_EPOCHS): []}


@pytest.mark.parametrize("function", WRITING)
async def test_what_is_held_back_until_a_tick_three_epochs_later_is_not_committed(scene, function):
    held_back = await scene.endorsed(function)
    await scene.tick_at(BEGIN + EXPIRY_EPOCHS * EPOCH_SECONDS)
    state = dict(scene.ledger.state)
    assert not scene.ledger.commit(held_back)
    assert scene.ledger.state == state


@pytest.mark.parametrize("function", WRITING)
async def test_what_is_held_back_for_two_epochs_is_committed(scene, function):
    held_back = await scene.endorsed(function)
    await scene.tick_at(BEGIN + EXPIRY_EPOCHS * EPOCH_SECONDS - 1)
    assert scene.ledger.commit(held_back)


@pytest.mark.parametrize("function", WRITING)
async def test_a_peer_that_has_such_a_tick_endorses_nothing_older(scene, function):
    await scene.tick_at(BEGIN + EXPIRY_EPOCHS * EPOCH_SECONDS)
    await scene.tick_at(BEGIN + 5 * EPOCH_SECONDS + 1)
    refused = await scene.submit(function)
    assert refused.code == "TRANSACTION_EXPIRED"
    assert refused.response.message == (
        f"TRANSACTION_EXPIRED: the transaction's time {START} is in epoch {EPOCH}, and the ledger has a tick of epoch "
        f"{EPOCH + 5}; send it again with a new timestamp"
    )


@pytest.mark.parametrize("function", WRITING)
async def test_the_same_again_with_a_new_timestamp_is_taken(scene, function):
    held_back = await scene.endorsed(function)
    await scene.tick_at(BEGIN + EXPIRY_EPOCHS * EPOCH_SECONDS)
    assert not scene.ledger.commit(held_back)
    scene.ledger.now = BEGIN + EXPIRY_EPOCHS * EPOCH_SECONDS
    assert (await scene.submit(function)).result


@pytest.mark.parametrize("function", ["issue", "set_status", "propose_issuer", "approve_issuer"])
async def test_a_repetition_leaves_no_tick_and_reads_no_range_and_so_never_expires(scene, function):
    first = await scene.submit(function)
    again = await scene.endorsed(function)
    assert again.result == first.result
    assert again.stub.writes == again.stub.range_reads == {}
    await scene.tick_at(BEGIN + EXPIRY_EPOCHS * EPOCH_SECONDS)
    assert (await scene.submit(function)).result == first.result


async def test_withdrawing_what_was_never_given_leaves_no_tick(scene):
    reference = scene.calls["withdraw_approval"][1]
    outcome = await scene.ledger.submit(scene.consortium.admins[MEMBERS[1]], "withdraw_approval", reference)
    assert outcome.stub.writes == outcome.stub.range_reads == {}


async def test_what_is_refused_reads_no_range(scene):
    issuance = scene.city.issuance(4, document_type="not-listed")
    refused = await scene.ledger.submit(scene.city.submitter, "issue", issuance)
    assert refused.code == "DOCUMENT_TYPE_REFUSED"
    assert refused.stub.range_reads == {}


async def test_two_transactions_of_one_epoch_do_not_conflict(scene):
    made = [await scene.endorsed(function) for function in ("issue", "set_status", "approve_issuer", "tick")]
    assert [scene.ledger.commit(each) for each in made] == [True] * 4


async def test_a_tick_of_an_earlier_epoch_ends_nothing(scene):
    late = await scene.endorsed("issue")
    await scene.tick_at(START - 2 * EPOCH_SECONDS)
    assert scene.ledger.commit(late)


async def test_a_tick_does_nothing_else_and_has_no_event(scene):
    before = set(scene.ledger.state) | {tick_key(EPOCH)}
    outcome = await scene.submit("tick")
    assert outcome.result == {"time": START}
    assert outcome.stub.event is None
    assert set(outcome.stub.writes) == {tick_key(EPOCH)}
    assert set(scene.ledger.state) == before


@pytest.mark.parametrize("kind", ["client", "peer", "admin"])
async def test_any_members_identity_may_tick(consortium, kind):
    who = consortium.authorities["GcomMSP"].issue(kind)
    assert (await consortium.ledger.submit(who, "tick", {})).result == {"time": START}


@pytest.mark.parametrize("function", ["tick", "get_time"])
@pytest.mark.parametrize("argument", [{"time": 1}, [], None, 1])
async def test_what_is_asked_nothing_takes_an_empty_object_only(scene, function, argument):
    outcome = await scene.ledger.submit(scene.calls["tick"][0], function, argument)
    assert outcome.code == "INVALID_ARGUMENT"


class TestGetTime:
    """How old a peer's answers are."""

    async def ask(self, scene, at):
        scene.ledger.now = at
        outcome = await scene.ledger.simulate(scene.calls["tick"][0], "get_time", {})
        assert outcome.stub.writes == {}
        return outcome.result["time"]

    async def test_is_the_newest_tick_s(self, scene):
        assert await self.ask(scene, START + 20) == START  # of the fixture's own transactions
        for time in (START + 310, START + 700):
            await scene.tick_at(time)
        assert await self.ask(scene, START + 710) == START + 700

    async def test_is_null_on_a_ledger_without_ticks(self, consortium):
        who = consortium.client("KaguyaMSP")
        assert (await consortium.ledger.simulate(who, "get_time", {})).result == {"time": None}

    async def test_is_told_while_no_more_than_three_epochs_have_passed_since(self, scene):
        told_until = BEGIN + (EXPIRY_EPOCHS + 1) * EPOCH_SECONDS - 1
        assert await self.ask(scene, told_until) == START
        assert await self.ask(scene, told_until + 1) is None

    async def test_may_be_ahead_of_a_query_whose_clock_is_behind(self, scene):
        await scene.tick_at(START + 300)
        assert await self.ask(scene, START) == START + 300

    async def test_at_the_beginning_of_time(self, scene):
        assert await self.ask(scene, EPOCH_SECONDS) == START


async def test_the_windows_of_keys_say_nothing_of_ticks(scene):
    """Time goes on where nobody may issue any more."""
    scene.ledger.now = WINDOW[1] + EPOCH_SECONDS
    assert (await scene.submit("tick")).result
    assert tick_of(scene.ledger, epoch_of(scene.ledger.now)) == scene.ledger.now

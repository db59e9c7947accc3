"""The registry of issuers: nothing changes before a majority of the members has approved the same content."""

from __future__ import annotations

import dataclasses

import pytest
from fabric_protos.peer.lifecycle import lifecycle_pb2
from tests.support.anchors_ledger import MEMBERS, START

from shirushi_core.fabric.chaincode import Response
from shirushi_core.proofs.canonical import decode_canonical, encode
from shirushi_core.proofs.issuer import IssuerState
from shirushi_core.proofs.issuer_proposal import proposal_id


@pytest.fixture
def party(consortium):
    """An issuer that is not registered yet."""
    return consortium.issuing_party("iizuka-city", "IizukaMSP")


@pytest.fixture
def proposing(party):
    return {"record": party.record.to_json()}


class Voting:
    """One proposal, and what admins do about it."""

    def __init__(self, consortium):
        self.consortium = consortium
        self.ledger = consortium.ledger

    async def propose(self, member, record):
        argument = {"record": record.to_json()}
        outcome = await self.ledger.submit(self.consortium.admins[member], "propose_issuer", argument)
        return outcome, {"proposal_id": outcome.result["proposal_id"]}

    async def approve(self, member, reference):
        return await self.ledger.submit(self.consortium.admins[member], "approve_issuer", reference)

    async def withdraw(self, member, reference):
        return await self.ledger.submit(self.consortium.admins[member], "withdraw_approval", reference)

    async def registered(self, issuer="iizuka-city"):
        outcome = await self.ledger.simulate(
            self.consortium.admins[MEMBERS[0]], "get_issuer", {"issuer": issuer}
        )
        return outcome.result if outcome.response.status == 200 else None


@pytest.fixture
def voting(consortium):
    return Voting(consortium)


async def test_an_issuer_is_registered_by_the_third_of_five_approvals(voting, party):
    first, reference = await voting.propose(MEMBERS[0], party.record)
    assert first.result["approvals"] == [MEMBERS[0]]
    assert first.result["approvals_needed"] == 3
    second = await voting.approve(MEMBERS[1], reference)
    assert second.result["state"] == "open"
    assert await voting.registered() is None
    third = await voting.approve(MEMBERS[2], reference)
    assert third.result["state"] == "adopted"
    assert third.result["approvals"] == list(MEMBERS[:3])
    assert await voting.registered() == party.record.to_json()


async def test_each_step_is_an_event_of_its_own(voting, party):
    first, reference = await voting.propose(MEMBERS[0], party.record)
    steps = [
        first,
        await voting.approve(MEMBERS[1], reference),
        await voting.withdraw(MEMBERS[1], reference),
        await voting.approve(MEMBERS[2], reference),
        await voting.approve(MEMBERS[3], reference),
    ]
    assert [[entry["kind"] for entry in step.entries] for step in steps] == [
        ["issuer_proposal", "issuer_approval"],
        ["issuer_approval"],
        ["issuer_withdrawal"],
        ["issuer_approval"],
        ["issuer_approval", "issuer"],
    ]
    assert steps[0].entries[0]["proposal"].items() <= first.result.items()
    assert steps[1].entries[0] == {
        "kind": "issuer_approval",
        "msp_id": MEMBERS[1],
        "proposal_id": reference["proposal_id"],
        "tx_id": steps[1].stub.tx_id,
    }
    assert steps[4].entries[1] == {"kind": "issuer", "record": party.record.to_json()}


@pytest.mark.parametrize(("members", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
async def test_a_strict_majority_is_needed(voting, party, members, needed):
    voting.ledger.members = list(MEMBERS[:members])
    outcome, reference = await voting.propose(MEMBERS[0], party.record)
    for member in MEMBERS[1:needed]:
        assert outcome.result["state"] == "open"
        outcome = await voting.approve(member, reference)
    assert outcome.result["state"] == "adopted"


async def test_approving_twice_counts_once_and_writes_nothing(voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    first = await voting.approve(MEMBERS[1], reference)
    again = await voting.approve(MEMBERS[1], reference)
    assert again.result == first.result
    assert again.stub.writes == {}
    assert again.stub.event is None


async def test_two_admins_of_one_member_count_once(consortium, voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    consortium.admins[MEMBERS[0]] = consortium.authorities[MEMBERS[0]].issue("admin", name="second admin")
    outcome = await voting.approve(MEMBERS[0], reference)
    assert outcome.result["approvals"] == [MEMBERS[0]]


async def test_repeating_a_lost_last_approval_returns_the_same_result(voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    await voting.approve(MEMBERS[1], reference)
    last = await voting.approve(MEMBERS[2], reference)
    again = await voting.approve(MEMBERS[2], reference)
    assert again.result == last.result
    assert again.stub.writes == {}


async def test_the_same_proposal_by_another_member_is_an_approval(voting, party):
    first, reference = await voting.propose(MEMBERS[0], party.record)
    voting.ledger.now += 5
    second, same = await voting.propose(MEMBERS[1], party.record)
    assert same == reference
    assert second.result["approvals"] == list(MEMBERS[:2])
    assert second.result["proposed_at"] == first.result["proposed_at"]
    assert second.result["proposed_by"] == MEMBERS[0]


async def test_proposing_again_after_a_lost_reply_writes_nothing(voting, party):
    first, _ = await voting.propose(MEMBERS[0], party.record)
    again, _ = await voting.propose(MEMBERS[0], party.record)
    assert again.result == first.result
    assert again.stub.writes == {}


async def test_a_withdrawn_approval_does_not_count(voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    await voting.approve(MEMBERS[1], reference)
    withdrawn = await voting.withdraw(MEMBERS[0], reference)
    assert withdrawn.result["approvals"] == [MEMBERS[1]]
    third = await voting.approve(MEMBERS[2], reference)
    assert third.result["state"] == "open"
    assert (await voting.approve(MEMBERS[0], reference)).result["state"] == "adopted"


async def test_withdrawing_what_was_never_given_changes_nothing(voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    outcome = await voting.withdraw(MEMBERS[1], reference)
    assert outcome.result["approvals"] == [MEMBERS[0]]
    assert outcome.stub.writes == {}
    assert outcome.stub.event is None


async def test_an_adopted_proposal_can_be_neither_approved_nor_withdrawn_from(consortium, voting, party):
    await consortium.adopt(party.record)
    _, reference = await voting.propose(MEMBERS[0], party.record)
    assert (await voting.withdraw(MEMBERS[0], reference)).code == "PROPOSAL_ADOPTED"
    assert (await voting.approve(MEMBERS[4], reference)).code == "PROPOSAL_ADOPTED"


async def test_of_two_approvals_at_once_only_one_commits_and_no_majority_is_missed(consortium, voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    ledger, admins = consortium.ledger, consortium.admins
    second = await ledger.simulate(admins[MEMBERS[1]], "approve_issuer", reference)
    third = await ledger.simulate(admins[MEMBERS[2]], "approve_issuer", reference)
    assert [ledger.commit(second), ledger.commit(third)] == [True, False]
    assert (await voting.approve(MEMBERS[2], reference)).result["state"] == "adopted"


@pytest.mark.parametrize("withdrawal_first", [True, False])
async def test_a_withdrawal_and_the_deciding_approval_at_once_do_not_both_commit(
    consortium, voting, party, withdrawal_first
):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    await voting.approve(MEMBERS[1], reference)
    ledger, admins = consortium.ledger, consortium.admins
    withdrawal = await ledger.simulate(admins[MEMBERS[1]], "withdraw_approval", reference)
    approval = await ledger.simulate(admins[MEMBERS[2]], "approve_issuer", reference)
    pair = [withdrawal, approval] if withdrawal_first else [approval, withdrawal]
    assert [ledger.commit(outcome) for outcome in pair] == [True, False]
    assert (await voting.registered() is None) is withdrawal_first


async def test_of_two_proposals_for_one_sequence_the_other_is_overtaken(consortium, voting, party):
    rival = dataclasses.replace(party.record, name_en="Another Iizuka")
    _, reference = await voting.propose(MEMBERS[4], rival)
    await consortium.adopt(party.record)
    assert (await voting.approve(MEMBERS[0], reference)).code == "PROPOSAL_STALE"
    assert (await voting.withdraw(MEMBERS[4], reference)).code == "PROPOSAL_STALE"
    assert await voting.registered() == party.record.to_json()


async def test_rival_proposals_decided_at_once_do_not_both_commit(consortium, voting, party):
    rival = dataclasses.replace(party.record, name_en="Another Iizuka")
    references = [(await voting.propose(MEMBERS[0], record))[1] for record in (party.record, rival)]
    for reference in references:
        await voting.approve(MEMBERS[1], reference)
    deciding = [
        await consortium.ledger.simulate(consortium.admins[MEMBERS[2]], "approve_issuer", reference)
        for reference in references
    ]
    assert [outcome.result["state"] for outcome in deciding] == ["adopted", "adopted"]
    assert [consortium.ledger.commit(outcome) for outcome in deciding] == [True, False]


@pytest.mark.parametrize("sequence", [1, 3])
async def test_a_record_out_of_sequence_cannot_be_proposed(consortium, city, sequence):
    record = dataclasses.replace(city.record, sequence=sequence, name_en="New")
    outcome = await consortium.ledger.submit(
        consortium.admins[MEMBERS[0]], "propose_issuer", {"record": record.to_json()}
    )
    assert outcome.code == "SEQUENCE_MISMATCH"


async def test_the_first_record_of_an_issuer_has_sequence_one(consortium, party):
    record = dataclasses.replace(party.record, sequence=2)
    outcome = await consortium.ledger.submit(
        consortium.admins[MEMBERS[0]], "propose_issuer", {"record": record.to_json()}
    )
    assert outcome.code == "SEQUENCE_MISMATCH"


def with_keys(record, *keys, **changes):
    ordered = tuple(sorted(keys, key=lambda key: (key.use, key.key_id)))
    return dataclasses.replace(record, keys=ordered, **changes)


async def test_keys_are_rotated_and_an_issuer_is_retired_by_the_same_path(consortium, voting, city):
    successor = consortium.issuing_party("iizuka-city", "IizukaMSP")
    ended = [dataclasses.replace(key, not_after=START - 1) for key in city.record.keys]
    rotated = with_keys(city.record, *ended, *successor.record.keys, sequence=2)
    await consortium.adopt(rotated)
    ledger = consortium.ledger
    assert (await ledger.submit(city.submitter, "issue", city.issuance())).code == "KEY_NOT_IN_WINDOW"
    assert (await ledger.submit(successor.submitter, "issue", successor.issuance())).result
    retired = dataclasses.replace(rotated, sequence=3, state=IssuerState.RETIRED)
    await consortium.adopt(retired)
    assert await voting.registered() == retired.to_json()


@pytest.mark.parametrize("kept", ["none", "one", "later"])
async def test_a_key_stays_in_the_record_so_that_old_seals_can_be_judged(consortium, city, kept):
    first, second = city.record.keys
    keys = {
        "none": [],
        "one": [second],
        "later": [dataclasses.replace(first, not_before=first.not_before + 1), second],
    }
    outcome = await consortium.ledger.submit(
        consortium.admins[MEMBERS[0]],
        "propose_issuer",
        {"record": with_keys(city.record, *keys[kept], sequence=2).to_json()},
    )
    assert outcome.code == "KEY_DROPPED"


async def test_a_record_that_lists_no_document_types_cannot_be_proposed(consortium, party):
    early = dataclasses.replace(party.record, document_types=None)
    outcome = await consortium.ledger.submit(
        consortium.admins[MEMBERS[0]], "propose_issuer", {"record": early.to_json()}
    )
    assert outcome.code == "INVALID_ARGUMENT"
    assert "'document_types' is missing; list the document types" in outcome.response.message


async def test_a_proposal_from_before_there_were_lists_is_never_adopted(consortium, voting, party):
    """Else two approvals of the time before would be enough to have an issuer of everything by one more."""
    _, reference = await voting.propose(MEMBERS[0], party.record)
    await voting.approve(MEMBERS[1], reference)
    early = dataclasses.replace(party.record, document_types=None)
    early_id = proposal_id(early).hex()
    state = voting.ledger.state
    for key in [key for key in state if reference["proposal_id"] in key]:
        value, version = state[key]
        proposal = decode_canonical(value) | ({"record": early.to_json(), "proposal_id": early_id})
        early_value = encode(proposal) if key.startswith("proposal/") else value
        state[key.replace(reference["proposal_id"], early_id)] = (early_value, version)
    early_reference = {"proposal_id": early_id}
    for act in (voting.approve, voting.withdraw):
        refused = await act(MEMBERS[2], early_reference)
        assert refused.code == "PROPOSAL_STALE"
        assert "propose the record again" in refused.response.message
    listed = await voting.ledger.simulate(
        party.submitter, "list_proposals", {"bookmark": "", "page_size": 10}
    )
    states = {each["proposal_id"]: each["state"] for each in listed.result["proposals"]}
    assert states == {reference["proposal_id"]: "open", early_id: "stale"}


@pytest.mark.parametrize("function", ["propose_issuer", "approve_issuer", "withdraw_approval"])
async def test_only_admins_of_members_take_part(consortium, voting, party, function):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    argument = {"record": party.record.to_json()} if function == "propose_issuer" else reference
    ca = consortium.authorities[MEMBERS[1]]
    for who in (ca.issue("client"), ca.issue("peer"), ca.issue("orderer"), ca.issue(), party.submitter):
        assert (await consortium.ledger.submit(who, function, argument)).code == "NOT_MEMBER_ADMIN"
    voting.ledger.members.remove(MEMBERS[1])
    former = consortium.admins[MEMBERS[1]]
    assert (await consortium.ledger.submit(former, function, argument)).code == "NOT_MEMBER_ADMIN"


async def test_the_approval_of_a_member_that_left_no_longer_counts(voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    await voting.approve(MEMBERS[1], reference)
    voting.ledger.members.remove(MEMBERS[0])
    outcome = await voting.approve(MEMBERS[2], reference)
    assert outcome.result["approvals"] == [MEMBERS[1], MEMBERS[2]]
    assert outcome.result["state"] == "open"


async def test_a_majority_that_came_about_by_a_members_leaving_is_found_by_approving_again(voting, party):
    _, reference = await voting.propose(MEMBERS[0], party.record)
    await voting.approve(MEMBERS[1], reference)
    voting.ledger.members = list(MEMBERS[:3])
    outcome = await voting.approve(MEMBERS[1], reference)
    assert outcome.result["state"] == "adopted"


@pytest.mark.parametrize(
    "answer",
    [
        Response(404, "namespace anchors is not defined"),
        Response(200, payload=b"\xff"),
        Response(200, payload=lifecycle_pb2.QueryChaincodeDefinitionResult(sequence=1).SerializeToString()),
    ],
    ids=["not defined", "no message", "no organisations"],
)
async def test_nothing_is_decided_while_the_members_are_not_known(consortium, proposing, answer):
    consortium.ledger.lifecycle = answer
    outcome = await consortium.ledger.submit(consortium.admins[MEMBERS[0]], "propose_issuer", proposing)
    assert outcome.code == "MEMBERS_UNKNOWN"


async def test_an_unknown_proposal_cannot_be_approved(voting):
    reference = {"proposal_id": "00" * 32}
    assert (await voting.approve(MEMBERS[0], reference)).code == "PROPOSAL_NOT_FOUND"
    assert (await voting.withdraw(MEMBERS[0], reference)).code == "PROPOSAL_NOT_FOUND"


async def test_proposals_are_listed_with_their_approvals_and_where_they_stand(consortium, voting, party):
    rival = dataclasses.replace(party.record, name_en="Another Iizuka")
    other = consortium.issuing_party("haw-academy", "HawMSP")
    _, overtaken = await voting.propose(MEMBERS[4], rival)
    _, open_one = await voting.propose(MEMBERS[3], other.record)
    await consortium.adopt(party.record)
    listed, bookmark = [], ""
    while True:
        page = await consortium.ledger.simulate(
            party.submitter, "list_proposals", {"bookmark": bookmark, "page_size": 2}
        )
        listed += page.result["proposals"]
        bookmark = page.result["bookmark"]
        if not bookmark:
            break
    found = {view["proposal_id"]: view for view in listed}
    assert len(listed) == len(found) == 3
    assert found[overtaken["proposal_id"]]["state"] == "stale"
    assert found[open_one["proposal_id"]]["approvals"] == [MEMBERS[3]]
    assert found[open_one["proposal_id"]]["proposed_at"] == START
    states = sorted(view["state"] for view in listed)
    assert states == ["adopted", "open", "stale"]


async def test_issuers_are_listed_page_by_page(ledger, city, academy):
    first = await ledger.simulate(city.submitter, "list_issuers", {"bookmark": "", "page_size": 1})
    assert first.result["issuers"] == [academy.record.to_json()]
    second = await ledger.simulate(
        city.submitter, "list_issuers", {"bookmark": first.result["bookmark"], "page_size": 1}
    )
    assert second.result == {"bookmark": "", "issuers": [city.record.to_json()]}

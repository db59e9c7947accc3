"""`shirushi issuer` where a member's own peer is behind the one that a proposal was made at."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.member_doubles import City
from tests.support.typed_command import Run, one_sentence

from shirushi_client.cli import issuer as command
from shirushi_client.ledger_errors import PROPOSAL_NOT_FOUND, ContractError

ADOPTED = {"approvals": ["IizukaMSP"], "proposal_id": "ab", "state": "adopted"}


@pytest.fixture
def asked(members: City, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the first member's peer is asked; it hears of the proposal after the second time."""
    calls: list[str] = []

    async def submit(function: str, argument: Any) -> Any:
        calls.append(function)
        if len(calls) < 3:
            raise ContractError(PROPOSAL_NOT_FOUND, "no proposal ab")
        return ADOPTED

    monkeypatch.setattr(members.members[0], "submit", submit)
    monkeypatch.setattr(command, "AGAIN_SECONDS", 0.0)
    return calls


def test_a_proposal_that_the_own_peer_has_yet_to_hear_of_is_waited_for(run: Run, asked: list[str]) -> None:
    result = run("issuer", "approve", "ab", "--as", "issuer", "--json")
    assert json.loads(result.stdout) == ADOPTED
    assert asked == ["approve_issuer"] * 3


def test_one_that_nobody_made_is_said_in_the_end(
    run: Run, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "PATIENCE", 0.0)
    monkeypatch.setattr(command.time, "monotonic", iter(range(10)).__next__)
    result = run("issuer", "approve", "ab", "--as", "issuer")
    assert result.exit_code == 1
    assert "no proposal ab" in one_sentence(result)
    assert len(asked) == 1

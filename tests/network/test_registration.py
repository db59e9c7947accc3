"""Registering the issuer while peers lag behind each other: on real peers the moment cannot be staged at will."""

from __future__ import annotations

from pathlib import Path

import pytest
from fabric_protos.peer import transaction_pb2

from shirushi_client.gateway import CommitError
from shirushi_network import registration
from shirushi_network.layout import Layout
from shirushi_network.registration import RegistrationError, register_city
from shirushi_network.topology import default_topology


def refused(code: int) -> CommitError:
    return CommitError("not committed", code=code, transaction_id="ab", block_number=7)


async def register(errors: list[CommitError], monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    async def attempt(*_: object) -> None:
        if errors:
            raise errors.pop(0)

    monkeypatch.setattr(registration, "_register", attempt)
    monkeypatch.setattr(registration, "city_record", lambda *_: None)
    monkeypatch.setattr(registration, "RETRY_SECONDS", 0.0)
    await register_city(Layout(folder), default_topology())
    assert not errors


async def test_an_endorsement_over_a_state_that_has_changed_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conflict = int(transaction_pb2.MVCC_READ_CONFLICT)
    await register([refused(conflict), refused(conflict)], monkeypatch, tmp_path)


async def test_another_invalid_transaction_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(RegistrationError, match="could not be registered"):
        await register([refused(int(transaction_pb2.ENDORSEMENT_POLICY_FAILURE))], monkeypatch, tmp_path)

"""Members that are down, silent, or lie, each at its own endpoint: they turn no verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.command import Run, shirushi
from tests.support.live_consortium import LiveConsortium
from tests.support.member_relay import (
    Behaviour,
    MemberRelay,
    altering,
    answering,
    answering_noise,
    denying,
    honest,
    silent,
)

from shirushi_core.proofs.canonical import Json
from shirushi_network.ports import free_ports

VALID, NOT_VALID, CANNOT_CONFIRM = 0, 1, 2


@dataclass(frozen=True)
class Certificates:
    valid: Path
    revoked: Path
    changed: Path


@pytest.fixture(scope="module")
def certificates(live_consortium: LiveConsortium, tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """One certificate that is valid, one that is revoked, and one whose file was changed; all on one ledger."""
    folder = tmp_path_factory.mktemp("certificates")
    paths = [folder / f"{name}.txt" for name in ("valid", "revoked", "changed")]
    for path in paths:
        path.write_text(f"bad members: {path.name}")
    data = live_consortium.root
    assert shirushi("issue", folder, "--type", "bad-members", data=data).exit_code == 0
    assert shirushi("revoke", paths[1], "--reason", "issued_in_error", data=data).exit_code == 0
    paths[2].write_text("bad members: changed by the holder")
    return Certificates(*paths)


def edited(**changes: Json) -> Callable[[Any], Json]:
    """Change members of a JSON object."""
    return lambda answer: {**answer, **changes}


def forged_revocation(answer: Any) -> Json:
    record = {
        "batch_id": answer["batch_id"],
        "change_id": "forged",
        "changed_at": 1_790_000_000,
        "commitment": answer["commitment"],
        "effective_at": 1_790_000_000,
        "reason": "issued_in_error",
        "status": "revoked",
        "successor": None,
        "tx_id": "00" * 32,
    }
    return {**answer, "certificate_status": record}


LIES: dict[str, Behaviour] = {
    "says it is revoked": altering("get_status", forged_revocation),
    "says it has no status": altering("get_status", edited(batch_status=None, certificate_status=None)),
    "denies the batch": denying("get_batch", "BATCH_NOT_FOUND: there is no such batch"),
    "denies the batch's status": denying("get_status", "BATCH_NOT_FOUND: there is no such batch"),
    "denies the issuer": denying("get_issuer", "ISSUER_NOT_FOUND: there is no such issuer"),
    "says it was anchored at another time": altering("get_batch", edited(anchored_at=1_790_000_000)),
    "says the issuer is another's": altering("get_issuer", edited(msp_id="ChaintopeMSP")),
    "answers JSON of another kind": answering(b'{"verdict":"valid"}'),
    "answers text": answering("有効です".encode()),
    "answers an endless number": answering(b"9" * 100_000),
    "answers deep nesting": answering(b"[" * 50_000),
    "answers nothing": answering(b""),
    "answers noise": answering_noise,
}


@pytest.fixture
def seen_with(live_consortium: LiveConsortium, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Make a client's data folder in which members are in somebody else's hands, or at an address where nobody is."""
    with ExitStack() as stack:

        def make(bad: dict[str, Behaviour] | None = None, down: list[str] | None = None) -> Path:
            peers = {
                member: stack.enter_context(MemberRelay(live_consortium, member, behaviour)).address
                for member, behaviour in (bad or {}).items()
            }
            ports = free_ports(len(down or []))
            peers |= {member: f"127.0.0.1:{port}" for member, port in zip(down or [], ports, strict=True)}
            return live_consortium.seen_from(tmp_path / "view", peers=peers)

        yield make


def verdict(file: Path, data: Path) -> Run:
    return shirushi("verify", file, "--json", data=data)


def disagreeing(report: Run) -> dict[str, bool | None]:
    """Return the members that the report does not count among those who agree."""
    return {member["id"]: member["agrees"] for member in report.json["members"] if not member["agrees"]}


@pytest.mark.parametrize("lie", LIES)
def test_two_members_that_lie_in_the_same_way_turn_no_verdict(
    seen_with: Callable[..., Path], certificates: Certificates, lie: str
) -> None:
    view = seen_with({"chaintope": LIES[lie], "kaguya": LIES[lie]})
    valid, revoked, changed = (
        verdict(file, view) for file in (certificates.valid, certificates.revoked, certificates.changed)
    )
    assert (valid.exit_code, revoked.exit_code, changed.exit_code) == (VALID, NOT_VALID, NOT_VALID)
    # What is true of one of the two, for a lie may be the truth about the other certificate.
    assert {*disagreeing(valid), *disagreeing(revoked)} == {"chaintope", "kaguya"}


def test_two_members_that_never_answer_turn_no_verdict(
    seen_with: Callable[..., Path], certificates: Certificates
) -> None:
    report = verdict(certificates.valid, seen_with({"iizuka": silent, "gcom": silent}))
    assert report.exit_code == VALID
    assert disagreeing(report) == {"iizuka": None, "gcom": None}


def test_a_liar_beside_a_member_that_is_down_turns_no_verdict(
    seen_with: Callable[..., Path], certificates: Certificates
) -> None:
    view = seen_with({"haw": LIES["says it has no status"]}, down=["iizuka"])
    assert verdict(certificates.valid, view).exit_code == VALID
    assert verdict(certificates.revoked, view).exit_code == NOT_VALID


@pytest.mark.parametrize(
    "lies",
    [
        ("says it is revoked", "denies the batch", "answers text"),
        ("denies the batch's status", "says it was anchored at another time", "answers nothing"),
        ("denies the issuer", "denies the issuer", "says the issuer is another's"),
        ("answers noise", "answers JSON of another kind", "answers an endless number"),
    ],
)
def test_with_three_bad_members_nothing_can_be_confirmed(
    seen_with: Callable[..., Path], certificates: Certificates, lies: tuple[str, str, str]
) -> None:
    view = seen_with(dict(zip(("iizuka", "haw", "gcom"), (LIES[lie] for lie in lies), strict=True)))
    assert verdict(certificates.valid, view).exit_code == CANNOT_CONFIRM
    # Where a quorum still has the anchor, another file speaks for itself.
    assert verdict(certificates.changed, view).exit_code in (NOT_VALID, CANNOT_CONFIRM)


def test_what_three_bad_members_say_about_a_revoked_certificate_never_makes_it_valid(
    seen_with: Callable[..., Path], certificates: Certificates
) -> None:
    lies = ("says it has no status", "denies the batch's status", "answers text")
    view = seen_with(dict(zip(("iizuka", "haw", "gcom"), (LIES[lie] for lie in lies), strict=True)))
    assert verdict(certificates.revoked, view).exit_code == CANNOT_CONFIRM


def test_with_three_members_down_nothing_can_be_confirmed(
    seen_with: Callable[..., Path], certificates: Certificates
) -> None:
    view = seen_with(down=["chaintope", "haw", "kaguya"])
    assert verdict(certificates.valid, view).exit_code == CANNOT_CONFIRM
    assert verdict(certificates.revoked, view).exit_code == CANNOT_CONFIRM


def test_without_members_nothing_speaks_against_a_file_and_nothing_for_it(
    live_consortium: LiveConsortium, seen_with: Callable[..., Path], certificates: Certificates
) -> None:
    view = seen_with(down=[member.id for member in live_consortium.topology.members])
    assert verdict(certificates.changed, view).exit_code == CANNOT_CONFIRM
    assert verdict(certificates.valid, view).exit_code == CANNOT_CONFIRM


def test_an_endpoint_with_another_members_certificate_is_not_believed(
    live_consortium: LiveConsortium, tmp_path: Path, certificates: Certificates
) -> None:
    impostors = ("iizuka", "haw", "gcom")
    with ExitStack() as stack:
        peers = {
            member: stack.enter_context(MemberRelay(live_consortium, "chaintope", honest)).address
            for member in impostors
        }
        view = live_consortium.seen_from(tmp_path / "view", peers=peers)
        report = verdict(certificates.valid, view)
    assert report.exit_code == CANNOT_CONFIRM
    silent_members = [member["id"] for member in report.json["members"] if member["problem"] is not None]
    assert silent_members == list(impostors)

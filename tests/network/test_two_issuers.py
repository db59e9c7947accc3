"""Who may issue, and whose certificates: issuers come in by the members' approvals, and keep to their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.command import shirushi
from tests.support.live_consortium import LiveConsortium

from shirushi_network.registration import city_record

SECOND = "chaintope-registry"
VALID, NOT_VALID = 0, 1


def write(folder: Path, name: str) -> Path:
    path = folder / f"{name}.txt"
    path.write_text(f"two issuers: {name}")
    return path


def issue(file: Path, data: Path) -> None:
    assert shirushi("issue", file, "--type", "two-issuers", data=data).exit_code == 0


def test_a_second_issuer_issues_only_after_a_majority_of_admins_has_approved_it(
    live_consortium: LiveConsortium, tmp_path: Path
) -> None:
    data, member = live_consortium.root, live_consortium.member("chaintope")
    second = live_consortium.seen_from(
        tmp_path / "second", issuer=live_consortium.profile("chaintope", "issuer", issuer="too-early")
    )
    record = tmp_path / "record.json"
    record.write_text(
        json.dumps(city_record(live_consortium.layout, member, "too-early", ("two-issuers",)).to_json())
    )
    certificate = write(tmp_path, "early")
    certificate_arguments = ("issue", certificate, "--type", "two-issuers")

    refused = shirushi(*certificate_arguments, data=second)
    assert (refused.exit_code, "ISSUER_NOT_FOUND" in refused.sentence) == (1, True)
    by_a_client = shirushi("issuer", "propose", record, "--as", "verifier", data=data)
    assert (by_a_client.exit_code, "NOT_MEMBER_ADMIN" in by_a_client.sentence) == (1, True)

    proposed = shirushi("issuer", "propose", record, "--as", "admin-chaintope", "--json", data=data)
    assert proposed.json["approvals"] == ["ChaintopeMSP"]
    proposal = proposed.json["proposal_id"]
    again = shirushi("issuer", "approve", proposal, "--as", "admin-chaintope", "--json", data=data)
    assert again.json["approvals"] == ["ChaintopeMSP"]
    two = shirushi("issuer", "approve", proposal, "--as", "admin-iizuka", "--json", data=data)
    assert two.json["approvals"] == ["ChaintopeMSP", "IizukaMSP"]
    assert "ISSUER_NOT_FOUND" in shirushi(*certificate_arguments, data=second).sentence
    by_a_client = shirushi("issuer", "approve", proposal, "--as", "issuer", data=data)
    assert (by_a_client.exit_code, "NOT_MEMBER_ADMIN" in by_a_client.sentence) == (1, True)

    three = shirushi("issuer", "approve", proposal, "--as", "admin-haw", "--json", data=data)
    assert three.json["state"] == "adopted"
    assert shirushi(*certificate_arguments, data=second).exit_code == 0
    assert shirushi("verify", certificate, data=data).exit_code == VALID
    listed = shirushi("issuer", "list", "--json", data=data).json["issuers"]
    assert {"too-early", "iizuka-city"} <= {issuer["id"] for issuer in listed}


@pytest.fixture(scope="module")
def second_issuer(live_consortium: LiveConsortium, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a second issuer, of another member than the city, that the members have approved."""
    folder = tmp_path_factory.mktemp("second")
    record = folder / "record.json"
    member = live_consortium.member("chaintope")
    record.write_text(
        json.dumps(city_record(live_consortium.layout, member, SECOND, ("two-issuers",)).to_json())
    )
    data = live_consortium.root
    proposed = shirushi("issuer", "propose", record, "--as", "admin-chaintope", "--json", data=data)
    proposal = proposed.json["proposal_id"]
    for admin in ("admin-kaguya", "admin-gcom"):
        assert shirushi("issuer", "approve", proposal, "--as", admin, data=data).exit_code == 0
    profile = live_consortium.profile("chaintope", "issuer", issuer=SECOND)
    return live_consortium.seen_from(folder / "data", issuer=profile)


@pytest.mark.parametrize(
    "change",
    [
        ["revoke", "--reason", "issued_in_error"],
        ["revoke", "--reason", "issued_in_error", "--batch"],
        ["suspend", "--reason", "under_investigation"],
    ],
    ids=" ".join,
)
def test_two_issuers_cannot_change_each_others_certificates(
    live_consortium: LiveConsortium, second_issuer: Path, tmp_path: Path, change: list[str]
) -> None:
    city, second = live_consortium.root, second_issuer
    of_city, of_second = write(tmp_path, f"city {change}"), write(tmp_path, f"second {change}")
    issue(of_city, city)
    issue(of_second, second)
    for file, other in ((of_city, second), (of_second, city)):
        refused = shirushi(*change, file, data=other)
        assert refused.exit_code == 1
        assert "NOT_BATCH_ISSUER" in refused.sentence or "NOT_ISSUER" in refused.sentence
        assert shirushi("verify", file, data=city).exit_code == VALID
    for file, own in ((of_city, city), (of_second, second)):
        assert shirushi(*change, file, data=own).exit_code == 0
        live_consortium.settle()
        assert shirushi("verify", file, data=city).exit_code == NOT_VALID


def test_an_issuer_cannot_put_its_certificate_in_the_place_of_anothers(
    live_consortium: LiveConsortium, second_issuer: Path, tmp_path: Path
) -> None:
    of_city, of_second = write(tmp_path, "city's old one"), write(tmp_path, "second's new one")
    issue(of_city, live_consortium.root)
    issue(of_second, second_issuer)
    assert shirushi("supersede", of_city, of_second, data=second_issuer).exit_code == 1
    assert shirushi("verify", of_city, data=live_consortium.root).exit_code == VALID


@pytest.mark.parametrize(
    ("member", "user"),
    [
        ("iizuka", "client"),
        ("iizuka", "admin"),
        ("chaintope", "issuer"),
        ("kaguya", "client"),
        ("gcom", "issuer"),
    ],
)
def test_nobody_but_the_issuers_own_identity_can_issue_in_its_name(
    live_consortium: LiveConsortium, second_issuer: Path, tmp_path: Path, member: str, user: str
) -> None:
    profile = live_consortium.profile(member, user, issuer="iizuka-city", seal_of="iizuka")
    impostor = live_consortium.seen_from(tmp_path / "impostor", issuer=profile)
    certificate = write(tmp_path, f"{member} {user}")
    run = shirushi("issue", certificate, "--type", "two-issuers", data=impostor)
    assert run.exit_code == 1
    assert "NOT_ISSUER" in run.sentence
    assert sorted(tmp_path.glob("*.receipt.json")) == []


def test_the_same_bytes_of_two_issuers_are_two_certificates(
    live_consortium: LiveConsortium, second_issuer: Path, tmp_path: Path
) -> None:
    certificate = write(tmp_path, "of both")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for data, out in ((live_consortium.root, mine), (second_issuer, theirs)):
        arguments = ("issue", certificate, "--type", "two-issuers", "--out", out)
        assert shirushi(*arguments, data=data).exit_code == 0
    (receipt,), (other,) = mine.iterdir(), theirs.iterdir()
    revoke = ("revoke", receipt, "--reason", "issued_in_error")
    assert shirushi(*revoke, data=live_consortium.root).exit_code == 0
    live_consortium.settle()
    verify = ("verify", certificate, "--receipt")
    assert shirushi(*verify, receipt, data=live_consortium.root).exit_code == NOT_VALID
    assert shirushi(*verify, other, data=live_consortium.root).exit_code == VALID

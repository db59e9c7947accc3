from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shirushi_network.expiry import certificates_in, certificates_of, soonest
from shirushi_network.member_bundle import local_bundle
from shirushi_network.member_keys import MemberKeysError, create_member
from shirushi_network.topology import default_topology

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CITY = default_topology().members[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_member(tmp_path, CITY, now=NOW, authority_days=100, certificate_days=10)
    return tmp_path / CITY.id


def test_every_certificate_of_a_member_is_listed_once(home: Path) -> None:
    found = certificates_of(home, NOW)
    assert [status.what for status in found] == [
        *("ca", "tls-ca", "peer", "peer-tls", "orderer", "orderer-tls", "chaincode-tls"),
        *("witness-tls", "admin", "issuer", "client", "seal"),
    ]
    assert all(status.path.is_file() and status.path.is_relative_to(home) for status in found)
    assert found[2].subject == "CN=peer0.iizuka,OU=peer,O=Iizuka City"


def test_a_member_without_an_orderer_has_none_listed(tmp_path: Path) -> None:
    create_member(tmp_path, replace(CITY, orderer=None), now=NOW)
    whats = {status.what for status in certificates_of(tmp_path / CITY.id, NOW)}
    assert not whats & {"orderer", "orderer-tls"}


@pytest.mark.parametrize(
    ("later", "days_left"),
    [
        (timedelta(0), 10),
        (timedelta(seconds=1), 9),
        (timedelta(days=9, hours=23), 0),
        (timedelta(days=10), 0),
        (timedelta(days=10, seconds=1), -1),
        (timedelta(days=12), -2),
    ],
)
def test_whole_days_are_counted_and_expired_ones_are_negative(
    home: Path, later: timedelta, days_left: int
) -> None:
    peer = next(status for status in certificates_of(home, NOW + later) if status.what == "peer")
    assert (peer.days_left, peer.not_after) == (days_left, NOW + timedelta(days=10))


def test_the_soonest_is_the_one_that_expires_first(home: Path) -> None:
    found = certificates_of(home, NOW)
    first = soonest(found)
    assert first is not None
    assert first.what == "peer"
    assert soonest([status for status in found if status.what in ("ca", "tls-ca")]) == found[0]
    assert soonest([]) is None


def test_what_was_superseded_is_left_out(home: Path) -> None:
    before = certificates_of(home, NOW)
    old = home / "superseded" / "20261101T120000Z" / "peers" / "peer0" / "msp" / "signcerts" / "cert.pem"
    old.parent.mkdir(parents=True)
    old.write_bytes((home / "peers/peer0/msp/signcerts/cert.pem").read_bytes())
    assert certificates_of(home, NOW) == before


def test_a_spoilt_certificate_is_named(home: Path) -> None:
    (home / "users/admin/msp/signcerts/cert.pem").write_bytes(b"x")
    with pytest.raises(MemberKeysError, match=r"admin/msp/signcerts/cert\.pem: expected a certificate"):
        certificates_of(home, NOW)


def test_of_another_member_what_its_bundle_holds_is_listed(home: Path) -> None:
    bundle = local_bundle(home.parent, CITY)
    found = certificates_in(bundle, Path("bundles/iizuka.json"), NOW)
    assert [status.what for status in found] == ["ca", "tls-ca", "orderer", "orderer-tls"]
    own = {status.what: status for status in certificates_of(home, NOW)}
    assert all(replace(status, path=Path()) == replace(own[status.what], path=Path()) for status in found)

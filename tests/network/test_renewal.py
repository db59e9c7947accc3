from __future__ import annotations

import errno
import os
import ssl
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shirushi_core.fabric.genesis import msp_config
from shirushi_core.fabric.msp import Msp, Role
from shirushi_core.fabric.signing import load_certificate
from shirushi_network import renewal
from shirushi_network.bundle_checks import check_bundle, check_tls
from shirushi_network.exchange import exchange
from shirushi_network.expiry import certificates_of
from shirushi_network.member_bundle import PublicBundle
from shirushi_network.member_keys import MemberKeysError, create_member, load_bundle, load_signing_identity
from shirushi_network.member_parts import PartName, parts_of
from shirushi_network.own_authority import load_pair
from shirushi_network.renewal import USUAL_PARTS, renew
from shirushi_network.topology import WitnessNode, default_topology

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=800)
CITY = default_topology().members[0]
PARTS = {part.name: part for part in parts_of(CITY)}
IDENTITIES = [name for name, part in PARTS.items() if not part.is_tls]
TLS = [name for name, part in PARTS.items() if part.is_tls]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_member(tmp_path, CITY, now=NOW)
    return tmp_path / CITY.id


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and "superseded" not in path.parts
    }


def changed(root: Path, before: dict[str, bytes]) -> set[str]:
    after = contents(root)
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


class TestARenewedCertificate:
    @pytest.mark.parametrize("name", IDENTITIES)
    def test_of_an_identity_is_the_msps_in_the_same_role_for_a_new_time(
        self, home: Path, name: PartName
    ) -> None:
        part = PARTS[name]
        old = load_signing_identity(home / part.folder.removesuffix("/msp") / "msp", CITY.msp_id)
        (renewed,) = renew(home, CITY, [name], now=LATER, days=500)
        new = load_signing_identity(home / part.folder, CITY.msp_id)
        msp = Msp.from_config(msp_config(load_bundle(home.parent, CITY)))
        end = LATER + timedelta(days=500)
        assert msp.validate(new.identity, end).roles == {Role.MEMBER, part.role}
        assert new.identity.certificate.subject == old.identity.certificate.subject
        assert new.key.public_key() != old.key.public_key()
        assert (renewed.part, renewed.not_after) == (name, end)
        assert renewed.certificate == home / part.certificate

    @pytest.mark.parametrize("name", TLS)
    def test_of_a_tls_server_works_and_names_the_host_of_the_topology(
        self, home: Path, name: PartName
    ) -> None:
        assert CITY.orderer is not None
        moved = replace(
            CITY,
            peer=replace(CITY.peer, host="node.example"),
            orderer=replace(CITY.orderer, host="node.example"),
            chaincode=replace(CITY.chaincode, host="node.example"),
            witness=WitnessNode("node.example", 1),
        )
        renew(home, moved, [name], now=LATER)
        folder = home / PARTS[name].folder
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        certificate = (folder / "server.crt").read_bytes()
        check_tls(CITY, load_bundle(home.parent, CITY), certificate, "node.example", "it", LATER)

    def test_of_the_issuer_still_says_so_to_chaincodes(self, home: Path) -> None:
        renew(home, CITY, [PartName.ISSUER], now=LATER)
        certificate = load_certificate((home / PARTS[PartName.ISSUER].certificate).read_bytes())
        assert b'{"attrs":{"shirushi.role":"issuer"}}' in certificate.tbs_certificate_bytes

    def test_keeps_its_key_if_asked_to(self, home: Path) -> None:
        before = contents(home)
        renew(home, CITY, list(PARTS), now=LATER, keep_key=True)
        assert changed(home, before) == {part.certificate for part in PARTS.values()}
        for part in PARTS.values():
            load_pair(home / part.certificate, home / part.key)

    def test_never_outlasts_its_ca(self, home: Path) -> None:
        at = NOW + timedelta(days=3000)
        (renewed,) = renew(home, CITY, [PartName.PEER], now=at)
        assert renewed.not_after == NOW + timedelta(days=3650)


class TestWhatARenewalLeaves:
    def test_usual_parts_are_those_that_nobody_else_has_to_know_of(self, home: Path) -> None:
        before = contents(home)
        renewed = renew(home, CITY, now=LATER)
        assert [each.part for each in renewed] == list(USUAL_PARTS)
        assert not {PartName.ORDERER, PartName.ORDERER_TLS, PartName.ISSUER} & set(USUAL_PARTS)
        expected = {PARTS[name].certificate for name in USUAL_PARTS} | {
            PARTS[name].key for name in USUAL_PARTS
        }
        assert changed(home, before) == expected

    def test_the_cas_are_never_touched(self, home: Path) -> None:
        before = {name: data for name, data in contents(home).items() if "ca" in name.split("/")[0]}
        assert len(before) == 4
        renew(home, CITY, list(PARTS), now=LATER)
        assert {name: contents(home)[name] for name in before} == before

    def test_the_old_pair_is_kept_under_its_time_and_place(self, home: Path) -> None:
        part = PARTS[PartName.PEER]
        before = contents(home)
        (renewed,) = renew(home, CITY, [PartName.PEER], now=LATER)
        kept = home / "superseded" / LATER.strftime("%Y%m%dT%H%M%SZ")
        assert renewed.superseded == kept / part.folder
        assert (kept / part.certificate).read_bytes() == before[part.certificate]
        assert (kept / part.key).read_bytes() == before[part.key]

    def test_two_renewals_in_one_second_keep_both(self, home: Path) -> None:
        folders = {renew(home, CITY, [PartName.ADMIN], now=LATER)[0].superseded for _ in range(3)}
        assert len(folders) == 3
        assert all(folder is not None and folder.is_dir() for folder in folders)

    def test_keys_are_the_owners_alone_whatever_the_umask_is(self, home: Path) -> None:
        before = os.umask(0)
        try:
            renew(home, CITY, list(PARTS), now=LATER)
            renew(home, CITY, list(PARTS), now=LATER, keep_key=True)
        finally:
            os.umask(before)
        for path in home.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            if path.is_dir():
                assert mode == 0o700, path
            elif path.name == "bls.key" or b"PRIVATE KEY" in path.read_bytes():
                assert mode == 0o600, path
            else:
                assert mode == 0o644, path

    def test_the_bundle_has_the_renewed_orderer(self, home: Path) -> None:
        old = load_bundle(home.parent, CITY)
        renew(home, CITY, [PartName.ORDERER, PartName.ORDERER_TLS], now=LATER)
        new = load_bundle(home.parent, CITY)
        assert old.orderer_certificate != new.orderer_certificate
        assert old.orderer_tls_certificate != new.orderer_tls_certificate
        check_bundle(PublicBundle(CITY, new), CITY, LATER)

    def test_a_part_that_was_never_made_is_made(self, home: Path) -> None:
        folder = home / PARTS[PartName.CHAINCODE_TLS].folder
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        (renewed,) = renew(home, CITY, [PartName.CHAINCODE_TLS], now=LATER, keep_key=True)
        assert renewed.superseded is None
        load_pair(folder / "server.crt", folder / "server.key")
        assert list((home / "superseded").glob("*")) == []

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            (PartName.ORDERER, "channel configuration update"),
            (PartName.ORDERER_TLS, "channel configuration update"),
            (PartName.ISSUER, "issuer registry proposal"),
            (PartName.PEER, "restart the peer"),
            (PartName.CHAINCODE_TLS, "restart the chaincode service"),
        ],
    )
    def test_what_has_to_follow_is_said(self, home: Path, name: PartName, says: str) -> None:
        (renewed,) = renew(home, CITY, [name], now=LATER)
        assert says in renewed.follows


class TestACrash:
    """Whatever a crash interrupts, each part's certificate and key belong together."""

    @pytest.fixture(params=[False, True], ids=["new_key", "keep_key"])
    def keep_key(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def power(self, monkeypatch: pytest.MonkeyPatch) -> Power:
        """Let the power go before any step of a renewal that changes the disk."""
        power = Power()
        steps = ("write_tls", "write_identity", "write_public", "write_atomically")
        for name in (*steps, "sync_tree", "exchange", "sync_folder"):
            monkeypatch.setattr(renewal, name, power.needed_by(getattr(renewal, name)))
        monkeypatch.setattr(renewal.shutil, "rmtree", lambda *_, **__: None)  # the dead clean nothing up
        return power

    def test_leaves_the_old_pair_or_the_new_one(self, home: Path, power: Power, keep_key: bool) -> None:
        wanted = [PartName.PEER, PartName.PEER_TLS]
        renew(home, CITY, wanted, now=LATER, keep_key=keep_key)
        steps = power.used
        assert steps >= 6
        for number in range(steps):
            before = contents(home)
            power.used, power.left = 0, number
            with pytest.raises(PowerCutError):
                renew(home, CITY, wanted, now=LATER + timedelta(hours=number + 1), keep_key=keep_key)
            for name in wanted:
                part = PARTS[name]
                load_pair(home / part.certificate, home / part.key)
            assert contents(home).keys() == before.keys()
            assert len(certificates_of(home, LATER)) == 12


class PowerCutError(BaseException):
    """Nothing catches it."""


class Power:
    """Counts steps, and is gone after `left` of them."""

    def __init__(self) -> None:
        self.used = 0
        self.left: int | None = None

    def needed_by(self, step: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any, **options: Any) -> None:
            if self.used == self.left:
                raise PowerCutError
            self.used += 1
            step(*arguments, **options)

        return run


class TestRefusals:
    def test_a_failure_leaves_the_old_pair_and_no_new_key(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        before = contents(home)
        monkeypatch.setattr(renewal, "exchange", full)
        with pytest.raises(MemberKeysError, match=r"peers/peer0/tls could not be renewed: .*No space left"):
            renew(home, CITY, [PartName.PEER_TLS], now=LATER)
        assert contents(home) == before
        assert not [path for path in home.glob("superseded/**/*") if path.is_file()]

    def test_a_file_system_that_cannot_swap_is_named_with_the_way_round(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unable(*_: object) -> None:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

        monkeypatch.setattr(renewal, "exchange", unable)
        with pytest.raises(MemberKeysError, match="--keep-key"):
            renew(home, CITY, [PartName.PEER], now=LATER)
        renew(home, CITY, [PartName.PEER], now=LATER, keep_key=True)

    def test_what_was_renewed_before_a_failure_is_said(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail_for_tls(first: Path, second: Path) -> None:
            if first.name == "tls":
                raise OSError(errno.EIO, "Input/output error")
            exchange(first, second)

        monkeypatch.setattr(renewal, "exchange", fail_for_tls)
        with pytest.raises(MemberKeysError, match="renewed before it: peer"):
            renew(home, CITY, [PartName.PEER, PartName.PEER_TLS], now=LATER)

    def test_an_expired_ca_issues_nothing(self, home: Path) -> None:
        before = contents(home)
        with pytest.raises(MemberKeysError, match=r"ca/cert\.pem expired.*a CA is not renewed.*update"):
            renew(home, CITY, [PartName.PEER], now=NOW + timedelta(days=3650))
        assert contents(home) == before

    @pytest.mark.parametrize(("name", "folder"), [(PartName.PEER, "ca"), (PartName.PEER_TLS, "tlsca")])
    def test_without_the_cas_key_the_certificates_come_from_elsewhere(
        self, home: Path, name: PartName, folder: str
    ) -> None:
        (home / folder / "key.pem").unlink()
        with pytest.raises(MemberKeysError, match=r"of iizuka come from elsewhere .*member import --replace"):
            renew(home, CITY, [name], now=LATER)

    def test_a_ca_key_that_is_not_the_cas_is_refused(self, home: Path) -> None:
        (home / "ca" / "key.pem").write_bytes((home / "tlsca" / "key.pem").read_bytes())
        with pytest.raises(MemberKeysError, match=r"ca/key\.pem is not the key of .*ca/cert\.pem"):
            renew(home, CITY, [PartName.PEER], now=LATER)

    def test_a_member_without_an_orderer_has_none_to_renew(self, home: Path) -> None:
        with pytest.raises(MemberKeysError, match="iizuka has no orderer: it runs no orderer"):
            renew(home, replace(CITY, orderer=None), [PartName.ORDERER], now=LATER)

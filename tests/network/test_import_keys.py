from __future__ import annotations

import os
import shutil
import ssl
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from tests.support.foreign_pki import ForeignPki, key_pem, put
from tests.support.throwaway_ca import pem

from shirushi_core.errors import ShirushiError
from shirushi_core.fabric.genesis import msp_config
from shirushi_core.fabric.msp import Msp, Role
from shirushi_network.bundle_checks import check_bundle
from shirushi_network.expiry import certificates_of
from shirushi_network.import_keys import import_member
from shirushi_network.import_sources import SourceError, parse_sources
from shirushi_network.member_bundle import BundleError, local_bundle, parse_bundle, render_bundle
from shirushi_network.member_keys import (
    MemberKeysError,
    create_member,
    load_bundle,
    load_signing_identity,
    load_tls,
)
from shirushi_network.member_parts import PartName
from shirushi_network.own_authority import load_pair
from shirushi_network.renewal import renew
from shirushi_network.revocation import revoke
from shirushi_network.topology import default_topology

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CITY = default_topology().members[0]


@pytest.fixture(scope="module")
def pki() -> ForeignPki:
    return ForeignPki.make()


@pytest.fixture
def folder(pki: ForeignPki, tmp_path: Path) -> Path:
    return pki.write(tmp_path / "foreign", CITY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "members"


class TestWhatIsTakenOver:
    @pytest.mark.parametrize("layout", ["cryptogen", "fabric-ca"])
    @pytest.mark.parametrize("intermediates", [True, False], ids=["intermediate_cas", "root_cas"])
    def test_identities_are_the_msps_each_in_its_role(
        self, tmp_path: Path, root: Path, layout: str, intermediates: bool
    ) -> None:
        pki = ForeignPki.make(intermediates=intermediates)
        import_member(root, CITY, pki.write(tmp_path / "foreign", CITY, layout=layout), now=NOW)
        msp = Msp.from_config(msp_config(load_bundle(root, CITY)))
        for home, role in (
            ("peers/peer0", Role.PEER),
            ("orderers/orderer0", Role.ORDERER),
            ("users/admin", Role.ADMIN),
            ("users/issuer", Role.CLIENT),
            ("users/client", Role.CLIENT),
        ):
            signer = load_signing_identity(root / CITY.id / home / "msp", CITY.msp_id)
            valid = msp.validate(signer.identity, NOW)
            assert valid.roles == {Role.MEMBER, role}
            valid.verify(signer.sign(b"message"), b"message")

    @pytest.mark.parametrize("layout", ["cryptogen", "fabric-ca"])
    def test_tls_works_as_a_server_and_shows_its_chain(
        self, pki: ForeignPki, tmp_path: Path, root: Path, layout: str
    ) -> None:
        import_member(root, CITY, pki.write(tmp_path / "foreign", CITY, layout=layout), now=NOW)
        for home in ("peers/peer0", "orderers/orderer0"):
            tls = root / CITY.id / home / "tls"
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls / "server.crt", tls / "server.key")
            chain, _, trust = load_tls(tls)
            assert chain.count(b"BEGIN CERTIFICATE") == 2
            assert trust == pem(pki.tls_root.certificate) + pem(pki.tls_ca.certificate)

    def test_its_bundle_is_a_good_one_with_the_intermediate_cas(
        self, pki: ForeignPki, folder: Path, root: Path
    ) -> None:
        import_member(root, CITY, folder, now=NOW)
        bundle = local_bundle(root, CITY)
        check_bundle(parse_bundle(render_bundle(bundle)), CITY, NOW)
        assert bundle.material.ca_certificates == (pem(pki.root.certificate),)
        assert bundle.material.intermediate_certificates == (pem(pki.ca.certificate),)
        assert bundle.material.tls_intermediate_certificates == (pem(pki.tls_ca.certificate),)
        assert b"PRIVATE" not in render_bundle(bundle)

    def test_expiry_is_shown_of_all_of_them(self, folder: Path, root: Path) -> None:
        import_member(root, CITY, folder, now=NOW)
        assert [status.what for status in certificates_of(root / CITY.id, NOW)] == [
            *("ca", "intermediate-ca", "tls-ca", "tls-intermediate-ca"),
            *("peer", "peer-tls", "orderer", "orderer-tls", "witness-tls", "admin", "issuer", "client"),
        ]

    def test_what_is_not_there_and_not_needed_is_said(self, folder: Path, root: Path) -> None:
        shutil.rmtree(folder / "users" / "issuer@example")
        imported = import_member(root, CITY, folder, now=NOW)
        assert imported.missing == ("chaincode-tls", "issuer", "seal")
        assert imported.taken["peer"] == folder / "peers" / "peer0.example" / "msp"

    def test_chaincode_tls_and_the_seal_come_along(self, pki: ForeignPki, folder: Path, root: Path) -> None:
        tls = pki.tls(CITY.chaincode.host)
        put(folder / "chaincodes/anchors/tls/server.crt", tls.identity.certificate_pem)
        put(folder / "chaincodes/anchors/tls/server.key", key_pem(tls.key))
        seal = pki.ca.issue("client", name="seal")
        put(folder / "sealing/cert.pem", seal.identity.certificate_pem)
        put(folder / "sealing/key.pem", key_pem(seal.key))
        imported = import_member(root, CITY, folder, now=NOW, named={"seal": folder / "sealing"})
        home = root / CITY.id
        served = home / "chaincodes/anchors/tls"
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(served / "server.crt", served / "server.key")
        load_pair(home / "users/issuer/seal/cert.pem", home / "users/issuer/seal/key.pem")
        assert imported.missing == ()

    def test_a_revocation_list_comes_along(self, pki: ForeignPki, folder: Path, root: Path) -> None:
        put(folder / "msp/crls/list.pem", pki.ca.revoke(pki.ca.issue("client")))
        import_member(root, CITY, folder, now=NOW)
        assert len(load_bundle(root, CITY).revocation_lists) == 1

    def test_no_key_of_a_ca_does(self, pki: ForeignPki, folder: Path, root: Path) -> None:
        put(folder / "ca/ca_sk", key_pem(pki.ca.key))
        put(folder / "tlsca/tlsca_sk", key_pem(pki.tls_ca.key))
        import_member(root, CITY, folder, now=NOW)
        contents = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
        assert key_pem(pki.ca.key) not in contents
        assert key_pem(pki.tls_ca.key) not in contents

    def test_a_member_without_an_orderer_needs_none(
        self, pki: ForeignPki, tmp_path: Path, root: Path
    ) -> None:
        member = replace(CITY, orderer=None)
        import_member(root, member, pki.write(tmp_path / "foreign", member), now=NOW)
        assert not (root / CITY.id / "orderers").exists()

    def test_text_around_certificates_is_left_behind(self, pki: ForeignPki, folder: Path, root: Path) -> None:
        path = folder / "msp/cacerts/root.pem"
        path.write_bytes(b"Certificate:\r\n    Data:\r\n" + path.read_bytes().replace(b"\n", b"\r\n"))
        import_member(root, CITY, folder, now=NOW)
        assert load_bundle(root, CITY).ca_certificates == (pem(pki.root.certificate),)

    def test_keys_are_the_owners_alone_whatever_the_umask_is(self, folder: Path, root: Path) -> None:
        before = os.umask(0)
        try:
            import_member(root, CITY, folder, now=NOW)
            import_member(root, CITY, folder, now=NOW, replace=True)
        finally:
            os.umask(before)
        for path in (root, *root.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            if path.is_dir():
                assert mode == 0o700, path
            elif b"PRIVATE KEY" in path.read_bytes():
                assert mode == 0o600, path


class TestParts:
    def test_may_be_named_by_the_nodes_folder_or_by_the_files(
        self, pki: ForeignPki, folder: Path, root: Path
    ) -> None:
        elsewhere = folder.parent / "orderer-organisation" / "o1"
        (folder / "orderers" / "orderer.example").rename(put_parent(elsewhere))
        tls = folder.parent / "tls-of-the-peer"
        (folder / "peers" / "peer0.example" / "tls").rename(tls)
        named = {"orderer": elsewhere, "peer-tls": tls}
        imported = import_member(root, CITY, folder, now=NOW, named=named)
        assert imported.taken["orderer"] == elsewhere / "msp"
        assert imported.taken["orderer-tls"] == elsewhere / "tls"
        assert imported.taken["peer-tls"] == tls

    def test_of_two_peers_one_has_to_be_named(self, pki: ForeignPki, folder: Path, root: Path) -> None:
        shutil.copytree(folder / "peers/peer0.example", folder / "peers/peer1.example")
        with pytest.raises(SourceError, match=r"found 2 peers, .*: name one with --part peer=FOLDER"):
            import_member(root, CITY, folder, now=NOW)
        chosen = folder / "peers/peer1.example"
        imported = import_member(root, CITY, folder, now=NOW, named={"peer": chosen})
        assert (imported.taken["peer"], imported.taken["peer-tls"]) == (chosen / "msp", chosen / "tls")

    def test_of_two_admins_one_has_to_be_named(self, folder: Path, root: Path) -> None:
        for name in ("anna", "ben"):
            shutil.copytree(folder / "users/Admin@example", folder / "users" / name)
        shutil.rmtree(folder / "users/Admin@example")
        with pytest.raises(SourceError, match="2 users who could be the admin"):
            import_member(root, CITY, folder, now=NOW)
        named = {"admin": folder / "users/ben"}
        assert import_member(root, CITY, folder, now=NOW, named=named).taken["admin"].parent.name == "ben"

    @pytest.mark.parametrize("text", ["peer", "peer=", "=x", "boss=x", "ca=x"])
    def test_are_given_as_name_and_folder(self, text: str) -> None:
        with pytest.raises(SourceError, match="expected NAME=FOLDER"):
            parse_sources([text])

    def test_are_given_once(self) -> None:
        assert parse_sources(["peer=a", "seal=b"]) == {"peer": Path("a"), "seal": Path("b")}
        with pytest.raises(SourceError, match="each name once"):
            parse_sources(["peer=a", "peer=b"])


class TestRefusals:
    """Nothing of a refused folder is kept."""

    @pytest.mark.parametrize(
        ("defect", "spoil", "says"),
        [
            ("no_msp", lambda at: shutil.rmtree(at / "msp"), "has no msp of iizuka: .*--part msp=FOLDER"),
            ("no_peer", lambda at: shutil.rmtree(at / "peers"), "has no peer of iizuka"),
            ("no_orderer", lambda at: shutil.rmtree(at / "orderers"), "has no orderer of iizuka"),
            ("no_admin", lambda at: shutil.rmtree(at / "users/Admin@example"), "has no admin of iizuka"),
            (
                "no_ca",
                lambda at: (at / "msp/cacerts/root.pem").unlink(),
                "cacerts: expected a CA certificate",
            ),
            (
                "no_tls_ca",
                lambda at: (at / "msp/tlscacerts/tlsca.pem").unlink(),
                "tlscacerts: expected a CA certificate",
            ),
            (
                "no_intermediate_ca",
                lambda at: shutil.rmtree(at / "msp/intermediatecerts"),
                "its MSP does not accept the orderer certificate: .*unknown authority",
            ),
            (
                "no_key",
                lambda at: (at / "peers/peer0.example/msp/keystore/priv_sk").unlink(),
                r"no key of .*peer0\.example/msp/signcerts/cert\.pem: no file with a key is there",
            ),
            (
                "anothers_key",
                lambda at: shutil.copy(
                    at / "users/Admin@example/msp/keystore/priv_sk",
                    at / "peers/peer0.example/msp/keystore/priv_sk",
                ),
                "no key of .*priv_sk is another's",
            ),
            (
                "an_rsa_key",
                lambda at: (at / "peers/peer0.example/tls/server.key").write_bytes(
                    key_pem(rsa.generate_private_key(65537, 2048))
                ),
                r"no key of .*server\.crt: .*expected P-256, P-384 or Ed25519",
            ),
            (
                "spoilt",
                lambda at: (at / "users/Admin@example/msp/signcerts/cert.pem").write_bytes(b"x"),
                r"Admin@example/msp/signcerts/cert\.pem: expected a certificate in PEM form",
            ),
            (
                "two_certificates",
                lambda at: (at / "peers/peer0.example/msp/signcerts/b.pem").write_bytes(b"x"),
                "signcerts holds 2 files",
            ),
            (
                "too_long",
                lambda at: (at / "msp/cacerts/root.pem").write_bytes(b"x" * (1 << 20)),
                r"root\.pem is longer than",
            ),
            (
                "a_list_that_is_none",
                lambda at: put(at / "msp/crls/list.pem", b"x"),
                r"crls/list\.pem: not a revocation list",
            ),
        ],
    )
    def test_are_named_and_leave_nothing(
        self, folder: Path, root: Path, defect: str, spoil: Callable[[Path], Any], says: str
    ) -> None:
        spoil(folder)
        self.refused(root, folder, says)

    @pytest.mark.parametrize(
        ("defects", "says"),
        [
            ({"role": "client"}, "the peer certificate in .* is for the role client; expected peer"),
            ({"host": "peer.elsewhere"}, r"for peer\.elsewhere; expected one for the host 127\.0\.0\.1"),
            ({"options": {"not_after": NOW - timedelta(days=1)}}, "the peer certificate in .* expired at"),
        ],
        ids=["another_role", "another_host", "expired"],
    )
    def test_certificates_are_checked_as_a_bundles_are(
        self, pki: ForeignPki, tmp_path: Path, root: Path, defects: dict[str, Any], says: str
    ) -> None:
        self.refused(root, pki.write(tmp_path / "foreign", CITY, **defects), says)

    def test_a_root_that_is_none_is_explained(self, pki: ForeignPki, folder: Path, root: Path) -> None:
        put(folder / "msp/cacerts/root.pem", pem(pki.ca.certificate))
        shutil.rmtree(folder / "msp/intermediatecerts")
        self.refused(root, folder, "CN=ca is not signed by itself: if CN=root is its root")

    def test_a_folder_that_is_none(self, root: Path, tmp_path: Path) -> None:
        self.refused(root, tmp_path / "gone", "gone: expected a folder")

    def refused(self, root: Path, folder: Path, says: str) -> None:
        with pytest.raises(ShirushiError, match=says) as caught:
            import_member(root, CITY, folder, now=NOW)
        assert isinstance(caught.value, SourceError | MemberKeysError | BundleError)
        assert not root.exists() or list(root.iterdir()) == []


class TestAfterwards:
    def test_existing_keys_are_replaced_only_if_asked_and_kept(
        self, pki: ForeignPki, folder: Path, root: Path
    ) -> None:
        create_member(root, CITY, now=NOW)
        home = root / CITY.id
        renew(home, CITY, [PartName.ADMIN], now=NOW - timedelta(days=1))
        before = {
            path.relative_to(home): path.read_bytes()
            for path in home.rglob("*")
            if path.is_file() and "superseded" not in path.parts
        }
        with pytest.raises(MemberKeysError, match="exists already: give --replace"):
            import_member(root, CITY, folder, now=NOW)
        imported = import_member(root, CITY, folder, now=NOW, replace=True)
        assert load_bundle(root, CITY).ca_certificates == (pem(pki.root.certificate),)
        assert imported.superseded == home / "superseded" / "20261101T120000Z"
        kept = {
            path.relative_to(imported.superseded): path.read_bytes()
            for path in imported.superseded.rglob("*")
            if path.is_file()
        }
        assert kept == before
        assert {path.name for path in (home / "superseded").iterdir()} == {
            "20261031T120000Z",
            "20261101T120000Z",
        }
        assert [path.name for path in root.iterdir()] == [CITY.id]

    def test_a_refused_replacement_changes_nothing(self, folder: Path, root: Path) -> None:
        create_member(root, CITY, now=NOW)
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        shutil.rmtree(folder / "msp/intermediatecerts")
        with pytest.raises(BundleError):
            import_member(root, CITY, folder, now=NOW, replace=True)
        assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before

    def test_renewing_and_revoking_are_done_where_the_certificates_come_from(
        self, folder: Path, root: Path
    ) -> None:
        import_member(root, CITY, folder, now=NOW)
        home = root / CITY.id
        with pytest.raises(MemberKeysError, match=r"come from elsewhere .*renew them there"):
            renew(home, CITY, now=NOW)
        with pytest.raises(MemberKeysError, match=r"come from elsewhere .*revoke it there"):
            revoke(home, home / "users/client/msp/signcerts/cert.pem", now=NOW)


def put_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_a_p_384_key_is_taken_too(pki: ForeignPki, folder: Path, root: Path) -> None:
    identity = pki.ca.issue("peer", key=ec.generate_private_key(ec.SECP384R1()))
    msp = folder / "peers/peer0.example/msp"
    put(msp / "signcerts/cert.pem", identity.identity.certificate_pem)
    put(msp / "keystore/priv_sk", key_pem(identity.key))
    import_member(root, CITY, folder, now=NOW)
    signer = load_signing_identity(root / CITY.id / "peers/peer0/msp", CITY.msp_id)
    assert signer.identity == replace(identity.identity, msp_id=CITY.msp_id)

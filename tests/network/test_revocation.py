from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_core.fabric.genesis import msp_config
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import IdentityError, Msp
from shirushi_network import revocation
from shirushi_network.bundle_checks import check_bundle
from shirushi_network.member_bundle import local_bundle, parse_bundle, render_bundle
from shirushi_network.member_keys import MemberKeysError, create_member, load_bundle
from shirushi_network.member_parts import PartName
from shirushi_network.renewal import renew
from shirushi_network.revocation import REVOCATION_LIST, revoke
from shirushi_network.topology import default_topology

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
CITY = default_topology().members[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_member(tmp_path, CITY, now=NOW)
    return tmp_path / CITY.id


def superseded(home: Path, name: PartName) -> Path:
    """Renew a part and return its old certificate."""
    (renewed,) = renew(home, CITY, [name], now=NOW)
    assert renewed.superseded is not None
    return renewed.superseded / ("server.crt" if name.endswith("-tls") else "signcerts/cert.pem")


def read_list(home: Path) -> x509.CertificateRevocationList:
    return x509.load_pem_x509_crl((home / REVOCATION_LIST).read_bytes())


def test_a_revoked_certificate_is_refused_by_the_bundles_msp_and_the_new_one_is_not(home: Path) -> None:
    old = superseded(home, PartName.ADMIN)
    revoke(home, old, now=NOW)
    msp = Msp.from_config(msp_config(load_bundle(home.parent, CITY)))
    with pytest.raises(IdentityError, match="has been revoked"):
        msp.validate(Identity(CITY.msp_id, old.read_bytes()), NOW)
    new = (home / "users/admin/msp/signcerts/cert.pem").read_bytes()
    assert msp.validate(Identity(CITY.msp_id, new), NOW)


def test_the_list_is_the_cas_numbered_and_names_its_key(home: Path) -> None:
    revoke(home, superseded(home, PartName.CLIENT), now=NOW)
    found = read_list(home)
    ca = x509.load_pem_x509_certificate((home / "ca" / "cert.pem").read_bytes())
    key_id = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    subject_key_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    key = ca.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert found.is_signature_valid(key)
    assert (found.issuer, key_id) == (ca.subject, subject_key_id)
    assert found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 1
    assert found.next_update_utc == ca.not_valid_after_utc


def test_it_only_grows_and_its_number_too(home: Path) -> None:
    files = [superseded(home, name) for name in (PartName.ADMIN, PartName.CLIENT, PartName.PEER)]
    made = [revoke(home, file, now=NOW + timedelta(days=day)) for day, file in enumerate(files)]
    assert [(each.number, each.entries, each.is_new) for each in made] == [
        (1, 1, True),
        (2, 2, True),
        (3, 3, True),
    ]
    assert {entry.serial_number for entry in read_list(home)} == {each.serial for each in made}
    dates = {entry.serial_number: entry.revocation_date_utc for entry in read_list(home)}
    assert dates[made[0].serial] == NOW


def test_revoking_again_changes_nothing(home: Path) -> None:
    old = superseded(home, PartName.ADMIN)
    revoke(home, old, now=NOW)
    before = (home / REVOCATION_LIST).read_bytes()
    again = revoke(home, old, now=NOW + timedelta(days=1))
    assert (again.number, again.entries, again.is_new) == (1, 1, False)
    assert (home / REVOCATION_LIST).read_bytes() == before


def test_the_list_is_in_the_bundle_that_others_check(home: Path) -> None:
    revoke(home, superseded(home, PartName.ADMIN), now=NOW)
    bundle = local_bundle(home.parent, CITY)
    assert bundle.material.revocation_lists == ((home / REVOCATION_LIST).read_bytes(),)
    read = parse_bundle(render_bundle(bundle))
    check_bundle(read, CITY, NOW)
    assert read == bundle


def test_the_members_own_nodes_have_it_too_also_after_a_renewal(home: Path) -> None:
    revoke(home, superseded(home, PartName.ADMIN), now=NOW)
    renew(home, CITY, [PartName.PEER, PartName.ORDERER], now=NOW)
    content = (home / REVOCATION_LIST).read_bytes()
    for node in ("peers/peer0", "orderers/orderer0"):
        assert (home / node / "msp" / "crls" / "crl.pem").read_bytes() == content


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not on PATH")
def test_openssl_takes_the_list(home: Path, tmp_path: Path) -> None:
    old = superseded(home, PartName.ADMIN)
    revoke(home, old, now=NOW)
    command = ["openssl", "verify", "-crl_check", "-attime", str(int(NOW.timestamp()))]
    files = ["-CAfile", str(home / "ca" / "cert.pem"), "-CRLfile", str(home / REVOCATION_LIST)]
    said = []
    for file in (old, home / "users/admin/msp/signcerts/cert.pem"):
        done = subprocess.run([*command, *files, str(file)], capture_output=True, text=True, check=False)
        said.append((done.returncode, "certificate revoked" in done.stderr))
    assert said == [(2, True), (0, False)]


class TestRefusals:
    def test_a_certificate_in_use(self, home: Path) -> None:
        for file, what in (
            ("users/admin/msp/signcerts/cert.pem", "admin"),
            ("orderers/orderer0/msp/signcerts/cert.pem", "orderer"),
            ("users/issuer/seal/cert.pem", "seal"),
        ):
            with pytest.raises(
                MemberKeysError, match=f"is in use as {what} of iizuka: give it a new one first"
            ):
                revoke(home, home / file, now=NOW)
        assert not (home / REVOCATION_LIST).exists()

    def test_a_tls_certificate(self, home: Path) -> None:
        with pytest.raises(MemberKeysError, match=r"is a TLS certificate: .*renew it, and delete its key"):
            revoke(home, superseded(home, PartName.PEER_TLS), now=NOW)

    def test_a_ca(self, home: Path) -> None:
        with pytest.raises(MemberKeysError, match=r"is a CA: .*configuration update"):
            revoke(home, home / "ca" / "cert.pem", now=NOW)

    def test_another_cas_certificate(self, home: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.pem"
        other.write_bytes(ThrowawayCa.root("someone").issue().identity.certificate_pem)
        with pytest.raises(MemberKeysError, match=r"not issued by the CA of iizuka: .*found CN=someone"):
            revoke(home, other, now=NOW)

    def test_what_is_no_certificate_or_is_not_there(self, home: Path, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"x")
        with pytest.raises(MemberKeysError, match="x: could not decode the PEM structure"):
            revoke(home, tmp_path / "x", now=NOW)
        with pytest.raises(MemberKeysError, match="gone cannot be read"):
            revoke(home, tmp_path / "gone", now=NOW)

    def test_a_list_that_is_not_the_cas(self, home: Path) -> None:
        old = superseded(home, PartName.ADMIN)
        (home / REVOCATION_LIST).parent.mkdir()
        (home / REVOCATION_LIST).write_bytes(ThrowawayCa.root().revoke())
        with pytest.raises(MemberKeysError, match=r"crl\.pem is not signed by CN=ca\.iizuka.*backup"):
            revoke(home, old, now=NOW)

    def test_a_member_whose_ca_key_is_elsewhere(self, home: Path) -> None:
        old = superseded(home, PartName.ADMIN)
        (home / "ca" / "key.pem").unlink()
        with pytest.raises(MemberKeysError, match=r"come from elsewhere .*revoke it there"):
            revoke(home, old, now=NOW)

    def test_a_list_that_would_be_too_long(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(revocation, "MAX_REVOCATION_LIST_BYTES", 100)
        with pytest.raises(MemberKeysError, match="at most 100 are supported"):
            revoke(home, superseded(home, PartName.ADMIN), now=NOW)
        assert not (home / REVOCATION_LIST).exists()

    def test_a_folder_that_cannot_be_written(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError("read-only")

        old = superseded(home, PartName.ADMIN)
        monkeypatch.setattr(revocation, "write_atomically", fail)
        with pytest.raises(MemberKeysError, match=r"crl\.pem could not be written: read-only"):
            revoke(home, old, now=NOW)


def test_the_list_is_public(home: Path) -> None:
    before = os.umask(0)
    try:
        revoke(home, superseded(home, PartName.ADMIN), now=NOW)
    finally:
        os.umask(before)
    assert (home / REVOCATION_LIST).stat().st_mode & 0o777 == 0o644
    assert (home / REVOCATION_LIST).parent.stat().st_mode & 0o777 == 0o700

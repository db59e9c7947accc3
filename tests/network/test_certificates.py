from __future__ import annotations

import ipaddress
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from shirushi_core.fabric.msp import Role
from shirushi_network.certificates import ATTRIBUTES_OID, KeyPair, Period, authority, enrollment, tls_server

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PERIOD = Period.of_days(NOW, 30)
HALF_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def ca() -> KeyPair:
    return authority("Iizuka City", "ca.iizuka", new_key(), 1, PERIOD)


def test_an_authority_issues_end_entities_only(ca: KeyPair) -> None:
    constraints = ca.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = ca.certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    assert (usage.value.key_cert_sign, usage.value.crl_sign, usage.value.digital_signature) == (
        True,
        True,
        False,
    )


@pytest.mark.parametrize("role", [Role.CLIENT, Role.PEER, Role.ADMIN, Role.ORDERER])
def test_an_enrollment_says_its_role_and_names_its_issuer(ca: KeyPair, role: Role) -> None:
    certificate = enrollment(ca, "Iizuka City", "x.iizuka", role, new_key(), 2, PERIOD).certificate
    certificate.verify_directly_issued_by(ca.certificate)
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    assert [unit.value for unit in units] == [role.value]
    key_id = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    issuer = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert issuer.key_identifier == key_id
    assert certificate.serial_number == 2


def test_attributes_are_fabric_cas(ca: KeyPair) -> None:
    attributes = {"department": "certificates", "approver": "true"}
    pair = enrollment(ca, "Iizuka City", "x", Role.CLIENT, new_key(), 2, PERIOD, attributes)
    extension = pair.certificate.extensions.get_extension_for_oid(ATTRIBUTES_OID)
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    assert json.loads(extension.value.value) == {"attrs": attributes}
    assert not extension.critical


def test_a_tls_certificate_names_hosts_and_addresses(ca: KeyPair) -> None:
    hosts = ["peer0.iizuka", "127.0.0.1", "::1"]
    certificate = tls_server(ca, "Iizuka City", "peer0.iizuka", hosts, new_key(), 3, PERIOD).certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["peer0.iizuka"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(host) for host in hosts[1:]]


def test_periods_begin_a_little_early_for_clocks_that_run_late(ca: KeyPair) -> None:
    assert ca.certificate.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert ca.certificate.not_valid_after_utc == NOW + timedelta(days=30)


def test_certificate_signatures_are_low_s() -> None:
    for serial in range(1, 20):
        signature = authority("o", "n", new_key(), serial, PERIOD).certificate.signature
        assert decode_dss_signature(signature)[1] <= HALF_ORDER


def test_private_keys_are_never_shown(ca: KeyPair) -> None:
    assert "key=" not in repr(ca)


@pytest.mark.skipif(which("openssl") is None, reason="openssl is not on PATH")
def test_openssl_accepts_the_chain(ca: KeyPair, tmp_path: Path) -> None:
    leaf = tls_server(ca, "Iizuka City", "peer0", ["127.0.0.1"], new_key(), 3, PERIOD)
    (tmp_path / "ca.pem").write_bytes(ca.certificate_pem)
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate_pem)
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-attime",
        str(int(NOW.timestamp())),
        "-purpose",
        "sslserver",
    ]
    files = ["-verify_ip", "127.0.0.1", "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")]
    done = subprocess.run([*command, *files], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr

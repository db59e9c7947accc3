"""A seal's certificate: for signing, valid at the time, and under authorities that may certify it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tests.support.paper_log import BEGIN, SEAL_KEY, seal_chain

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import es256
from shirushi_core.proofs.seal_certificate import SealCertificateError, seal_key_id, verify_seal_chain

ROOT, MIDDLE, SEAL = (ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 12, 13))
START = datetime.fromtimestamp(BEGIN, UTC)
AT = BEGIN + 86_400


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool | None = False,
    path_length: int | None = None,
    signs: bool = True,
    certifies: bool = False,
    usage: bool = True,
    days: int = 10,
) -> bytes:
    def of(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(of(name))
        .issuer_name(of(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=days))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    if usage:
        flags = x509.KeyUsage(signs, False, False, False, False, certifies, certifies, False, False)
        builder = builder.add_extension(flags, critical=True)
    return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.DER)


def authority(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: str, by: ec.EllipticCurvePrivateKey, **more: object
) -> bytes:
    values: dict[str, object] = {"ca": True, "signs": False, "certifies": True} | more
    return certificate(name, key, issuer, by, **values)  # type: ignore[arg-type]


ROOT_CERTIFICATE = authority("root", ROOT, "root", ROOT)
MIDDLE_CERTIFICATE = authority("middle", MIDDLE, "root", ROOT, path_length=0)
GOOD = (certificate("seal", SEAL, "middle", MIDDLE), MIDDLE_CERTIFICATE, ROOT_CERTIFICATE)


def test_a_good_chain_gives_the_seals_certificate() -> None:
    assert verify_seal_chain(GOOD, AT).subject.rfc4514_string() == "CN=seal"
    assert verify_seal_chain(seal_chain(), AT)
    assert seal_key_id(seal_chain()[0]) == sha256(es256.public_key_der(SEAL_KEY)).digest()


def test_a_certificate_that_the_policy_names_alone_needs_no_authority() -> None:
    assert verify_seal_chain(GOOD[:1], AT)


@pytest.mark.parametrize("at", [BEGIN - 1, BEGIN + 10 * 86_400 + 1, 1 << 40])
def test_it_is_judged_at_the_time_the_seal_was_anchored(at: int) -> None:
    with pytest.raises(SealCertificateError, match="was valid from"):
        verify_seal_chain(GOOD, at)


CHAINS = {
    "no certificate": ((), "found none"),
    "not for signing": (
        (certificate("seal", SEAL, "root", ROOT, signs=False), ROOT_CERTIFICATE),
        "not for signing",
    ),
    "no usage": ((certificate("seal", SEAL, "root", ROOT, usage=False), ROOT_CERTIFICATE), "not for signing"),
    "an authority's": (
        (certificate("seal", SEAL, "root", ROOT, ca=True), ROOT_CERTIFICATE),
        "an authority's",
    ),
    "under no authority": (
        (certificate("x", SEAL, "seal", MIDDLE), certificate("seal", MIDDLE, "root", ROOT), ROOT_CERTIFICATE),
        "is no authority's",
    ),
    "under an authority that may not certify": (
        (GOOD[0], authority("middle", MIDDLE, "root", ROOT, certifies=False), ROOT_CERTIFICATE),
        "may not sign certificates",
    ),
    "under another root": (
        (GOOD[0], MIDDLE_CERTIFICATE, authority("root", SEAL, "root", SEAL)),
        "not signed by",
    ),
    "in the wrong order": ((GOOD[0], ROOT_CERTIFICATE, MIDDLE_CERTIFICATE), "too high"),
    "longer than allowed": (
        (
            certificate("seal", SEAL, "low", SEAL),
            authority("low", SEAL, "middle", MIDDLE),
            MIDDLE_CERTIFICATE,
            ROOT_CERTIFICATE,
        ),
        "too high",
    ),
    "expired authority": (
        (GOOD[0], authority("middle", MIDDLE, "root", ROOT, days=0), ROOT_CERTIFICATE),
        "was valid from",
    ),
    "no certificates at all": ((b"junk", b""), "not an X.509 certificate"),
}


@pytest.mark.parametrize(("chain", "why"), CHAINS.values(), ids=CHAINS.keys())
def test_a_chain_with_a_defect_is_refused(chain: tuple[bytes, ...], why: str) -> None:
    with pytest.raises(SealCertificateError, match=why):
        verify_seal_chain(chain, AT)


def test_what_is_no_certificate_has_no_key_id() -> None:
    with pytest.raises(InvalidInputError):
        seal_key_id(b"junk")

"""X.509 certificates as Go reads them (crypto/x509 ParseCertificate): whose MSP takes what is Fabric's to say, which is written in Go.

A Python library refuses some of what Go takes, takes some of what Go refuses, and changes its mind between versions. So this reader
is the definition for identities and authorities. Source: Go 1.26 crypto/x509/parser.go, msp/mspimpl.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import TypeAlias, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate_extensions import Extension, Extensions, read_extensions
from shirushi_core.fabric.der import (
    NULL,
    SEQUENCE,
    SET,
    DerError,
    Reader,
    context,
    parse_string,
    parse_time,
    right_aligned,
)
from shirushi_core.fabric.pem import first_block

Result = TypeVar("Result")
CertificateKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

COMMON_NAME, ORGANIZATIONAL_UNIT = "2.5.4.3", "2.5.4.11"
_LABELS = {
    COMMON_NAME: "CN",
    ORGANIZATIONAL_UNIT: "OU",
    "2.5.4.10": "O",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
_CURVES: Mapping[str, ec.EllipticCurve] = {
    "1.3.132.0.33": ec.SECP224R1(),
    "1.2.840.10045.3.1.7": ec.SECP256R1(),
    "1.3.132.0.34": ec.SECP384R1(),
    "1.3.132.0.35": ec.SECP521R1(),
}


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name: its DER, and (type, value) of its attributes in their order, as far as they are strings."""

    der: bytes
    attributes: tuple[tuple[str, str], ...]

    def values(self, kind: str) -> tuple[str, ...]:
        """Return the values of a kind of attribute, in their order."""
        return tuple(value for found, value in self.attributes if found == kind)

    def rfc4514_string(self) -> str:
        """Return it for messages, the last part first."""
        return ",".join(
            f"{_LABELS.get(kind, kind)}={_escaped(value)}" for kind, value in self.attributes[::-1]
        )


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An AlgorithmIdentifier: its object id, and the DER of its parameters, empty if there are none."""

    oid: str
    parameters: bytes


@dataclass(frozen=True)
class Certificate:
    """A certificate. Nothing of it is checked but that Go could read it."""

    der: bytes
    signed_part: bytes  # TBSCertificate
    version: int  # 1 to 3
    serial_number: int
    signature_algorithm: Algorithm
    issuer: Name
    not_before: datetime
    not_after: datetime
    subject: Name
    public_key_info: bytes  # SubjectPublicKeyInfo
    key: CertificateKey | None  # None for a kind that Go does not know
    extensions: Extensions
    signature: bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.der == other.der

    def __hash__(self) -> int:
        return hash(self.der)

    @property
    def is_ca(self) -> bool:
        """Whether basicConstraints make it a CA."""
        return self.extensions.is_ca

    @cached_property
    def organizational_units(self) -> tuple[str, ...]:
        """The subject's organizational units, in their order."""
        return self.subject.values(ORGANIZATIONAL_UNIT)

    @cached_property
    def key_id(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo."""
        return sha256(self.public_key_info).digest()


def read_certificate(pem: bytes) -> Certificate:
    """Read the first PEM block of any label as a certificate, as Fabric does; raises InvalidInputError."""
    _, der = first_block(pem)
    return parse_certificate(der)


def parse_certificate(der: bytes) -> Certificate:
    """Read a certificate in DER; raises InvalidInputError."""
    try:
        return _parse(der)
    except DerError as error:
        raise InvalidInputError(f"parseCertificate failed: {error}") from None


def _parse(der: bytes) -> Certificate:
    reader = Reader(der)
    outer = _step("certificate", lambda: reader.inner(SEQUENCE))
    if not reader.empty:
        raise DerError("trailing data")
    signed_part = _step("tbs certificate", lambda: outer.whole(SEQUENCE))
    tbs = Reader(signed_part).inner(SEQUENCE)
    explicit = _step("version", lambda: tbs.optional(context(0)))
    version = 1 if explicit is None else 1 + _step("version", lambda: Reader(explicit).integer())
    if not 1 <= version <= 3:
        raise DerError(f"invalid version {version}")
    serial = _step("serial number", tbs.integer)
    if serial < 0:
        raise DerError("negative serial number")
    inner_algorithm = _step("signature algorithm identifier", lambda: tbs.element(SEQUENCE))
    if _step("algorithm identifier", lambda: outer.element(SEQUENCE)) != inner_algorithm:
        raise DerError("inner and outer signature algorithm identifiers don't match")
    algorithm = _algorithm(inner_algorithm)
    issuer = _name(_step("issuer", lambda: tbs.whole(SEQUENCE)))
    validity = _step("validity", lambda: tbs.inner(SEQUENCE))
    not_before, not_after = (_step("validity", lambda: _time(validity)) for _ in range(2))
    subject = _name(_step("subject", lambda: tbs.whole(SEQUENCE)))
    key_info = _step("spki", lambda: tbs.whole(SEQUENCE))
    key = _public_key(key_info)
    extensions: list[Extension] = []
    if version > 1:
        for number in (1, 2):
            _step("unique id", lambda: tbs.optional(context(number, constructed=False)))  # noqa: B023
    if version == 3:
        extensions = _step("extensions", lambda: _extensions(tbs))
    signature = right_aligned(*_step("signature", outer.bit_string))
    return Certificate(
        der=der,
        signed_part=signed_part,
        version=version,
        serial_number=serial,
        signature_algorithm=algorithm,
        issuer=issuer,
        not_before=not_before,
        not_after=not_after,
        subject=subject,
        public_key_info=key_info,
        key=key,
        extensions=read_extensions(extensions),
        signature=signature,
    )


def _step(what: str, read: Callable[[], Result]) -> Result:
    try:
        return read()
    except DerError as error:
        raise DerError(f"malformed {what}: {error}") from None


def _time(reader: Reader) -> datetime:
    tag, content, _ = reader.any_element()
    return parse_time(tag, content)


def _algorithm(content: bytes) -> Algorithm:
    reader = Reader(content)
    oid = _step("algorithm", reader.oid)
    return Algorithm(oid, b"" if reader.empty else _step("parameters", reader.any_element)[2])


def _name(der: bytes) -> Name:
    found = []
    names = Reader(der).inner(SEQUENCE)
    while not names.empty:
        group = _step("name", lambda: names.inner(SET))
        while not group.empty:
            attribute = _step("name", lambda: group.inner(SEQUENCE))  # noqa: B023
            kind = _step("name", attribute.oid)
            tag, content, _ = _step("name", attribute.any_element)
            value = parse_string(tag, content)
            if value is not None:
                found.append((kind, value))
    return Name(der, tuple(found))


def _extensions(tbs: Reader) -> list[Extension]:
    content = tbs.optional(context(3))
    found: list[Extension] = []
    if content is None:
        return found
    reader = Reader(content).inner(SEQUENCE)
    while not reader.empty:
        one = reader.inner(SEQUENCE)
        oid = one.oid()
        critical = one.boolean() if one.next_is(1) else False
        if any(each.oid == oid for each in found):
            raise DerError(f"certificate contains duplicate extension with OID {oid}")
        found.append(Extension(oid, critical, one.element(4)))
    return found


def _public_key(der: bytes) -> CertificateKey | None:
    """Return a key of a kind that Fabric knows, None for any other; raises DerError where Go would not read it."""
    reader = Reader(der).inner(SEQUENCE)
    algorithm = _algorithm(_step("public key algorithm identifier", lambda: reader.element(SEQUENCE)))
    content = right_aligned(*_step("subjectPublicKey", reader.bit_string))
    match algorithm.oid:
        case "1.2.840.113549.1.1.1":
            return _rsa_key(algorithm, content)
        case "1.2.840.10045.2.1":
            return _elliptic_key(algorithm, content)
        case "1.3.101.112":
            if algorithm.parameters or len(content) != 32:
                raise DerError("Ed25519 key encoded with illegal parameters, or of the wrong size")
            return ed25519.Ed25519PublicKey.from_public_bytes(content)
    return None


def _rsa_key(algorithm: Algorithm, content: bytes) -> CertificateKey:
    if algorithm.parameters != bytes((NULL, 0)):
        raise DerError("RSA key missing NULL parameters")
    numbers = _step("RSA public key", lambda: Reader(content).inner(SEQUENCE))
    modulus, exponent = (_step("RSA public key", numbers.integer) for _ in range(2))
    if modulus <= 0 or not 0 < exponent < 1 << 63:
        raise DerError("RSA modulus or exponent is not a positive number")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DerError(f"RSA key: {error}") from None


def _elliptic_key(algorithm: Algorithm, content: bytes) -> CertificateKey:
    curve = _CURVES.get(_step("ECDSA parameters", lambda: Reader(algorithm.parameters).oid()))
    if curve is None:
        raise DerError("unsupported elliptic curve")
    if content[:1] != b"\x04":
        raise DerError("failed to unmarshal elliptic curve point")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, content)
    except (ValueError, UnsupportedAlgorithm):
        raise DerError("failed to unmarshal elliptic curve point") from None


def _escaped(value: str) -> str:
    return "".join(f"\\{each}" if each in ',+"\\<>;=' else each for each in value)

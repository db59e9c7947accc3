"""Certificate chains inside one MSP: its authorities, and which of them issued a certificate.

Source: msp/mspimpl.go (getUniqueValidationChain), msp/cert.go, and Go's crypto/x509 Verify, whose rules Fabric takes over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.certificate import (
    COMMON_NAME,
    Algorithm,
    Certificate,
    CertificateKey,
    read_certificate,
)
from shirushi_core.fabric.certificate_extensions import ANY_POLICY, ANY_USAGE, KEY_CERT_SIGN, SERVER_AUTH
from shirushi_core.fabric.name_constraints import is_host
from shirushi_core.fabric.signing import low_s

MAX_AUTHORITIES = 64
"""Roots and intermediates that a member may hand over in its bundle; what is on a channel may have more."""

MAX_SIGNATURE_CHECKS = 100
"""Signatures looked at for the chains above one certificate; with more Go gives up, too."""

_ECDSA: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.10045.4.3.2": hashes.SHA256(),
    "1.2.840.10045.4.3.3": hashes.SHA384(),
    "1.2.840.10045.4.3.4": hashes.SHA512(),
}
_RSA: dict[str, hashes.HashAlgorithm] = {
    "1.2.840.113549.1.1.11": hashes.SHA256(),
    "1.2.840.113549.1.1.12": hashes.SHA384(),
    "1.2.840.113549.1.1.13": hashes.SHA512(),
}
_ECDSA_SHA1: dict[str, hashes.HashAlgorithm] = {"1.2.840.10045.4.1": hashes.SHA1()}  # noqa: S303
_RSA_SHA1: dict[str, hashes.HashAlgorithm] = {"1.2.840.113549.1.1.5": hashes.SHA1()}  # noqa: S303
_ED25519 = "1.3.101.112"
_PSS = "1.2.840.113549.1.1.10"
_PSS_PARAMETERS: dict[bytes, hashes.HashAlgorithm] = {
    bytes.fromhex(
        "3034a00f300d0609608648016503040201 0500a11c301a06092a864886f70d010108300d0609608648016503040201 0500a203020120"
    ): hashes.SHA256(),
    bytes.fromhex(
        "3034a00f300d0609608648016503040202 0500a11c301a06092a864886f70d010108300d0609608648016503040202 0500a203020130"
    ): hashes.SHA384(),
    bytes.fromhex(
        "3034a00f300d0609608648016503040203 0500a11c301a06092a864886f70d010108300d0609608648016503040203 0500a203020140"
    ): hashes.SHA512(),
}
_LEAST_RSA_BITS = 1024


class ChainError(ShirushiError):
    """A certificate that does not chain to exactly one root."""


class _NoChainError(Exception):
    """Go's Verify would have failed; the text is what it says."""


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A CA certificate that an MSP trusts, as root or as intermediate."""

    certificate: Certificate
    key: CertificateKey
    subject_key_id: bytes
    is_root: bool

    @property
    def name(self) -> str:
        """The subject, for messages."""
        return self.certificate.subject.rfc4514_string()

    def issued(self, certificate: Certificate) -> bool:
        """Say whether this authority signed a certificate under its own name."""
        return certificate.issuer.der == self.certificate.subject.der and _signed(
            self.certificate, certificate
        )


Chain = tuple[Authority, ...]
"""From the issuer up to the root."""


class Authorities:
    """The roots and intermediates of one MSP, checked once; finds the one chain above a certificate."""

    def __init__(self, roots: Iterable[bytes], intermediates: Iterable[bytes]) -> None:
        """Load PEM certificates; raises InvalidInputError for one that is no CA or has no chain to a root."""
        found = [load_authority(pem, is_root=True) for pem in roots]
        found += [load_authority(pem, is_root=False) for pem in intermediates]
        distinct: dict[tuple[bytes, bool], Authority] = {}
        for authority in found:
            distinct.setdefault((authority.certificate.der, authority.is_root), authority)
        self._all = tuple(distinct.values())
        if not any(authority.is_root for authority in self._all):
            raise InvalidInputError("expected at least one CA certificate")
        inner: set[Certificate] = set()
        for authority in self._all:
            chain = self._chain_of_authority(authority)
            if authority.is_root and not _is_own_issuer(authority.certificate):
                issuer = authority.certificate.issuer.rfc4514_string()
                raise InvalidInputError(
                    f"the root CA certificate {authority.name} is not signed by itself: if {issuer} is its root, expected that one "
                    "as root and this one as intermediate; and its keyUsage has to allow keyCertSign"
                )
            if not authority.is_root:
                inner.update(above.certificate for above in chain[1:])
        self._inner = frozenset(inner)

    def __iter__(self) -> Iterator[Authority]:
        return iter(self._all)

    def issuer_chain(self, certificate: Certificate) -> Chain:
        """Return the one chain above an end-entity certificate, issuer first; raises ChainError.

        Validity periods are judged one second into the certificate's own (as Fabric does), never by a clock.
        """
        chain = self._only_chain(certificate)
        if not chain:
            raise ChainError("expected a chain of length at least 2, got 1")
        if chain[0].certificate in self._inner:
            raise ChainError(
                "invalid validation chain. Parent certificate should be a leaf of the certification tree "
                f"[{chain[0].name}]"
            )
        return chain

    def chain_of(self, pem: bytes) -> Chain:
        """Return the chain of one of these authorities, itself first; raises InvalidInputError if it is none."""
        return self.chain_of_certificate(read_certificate(pem))

    def chain_of_certificate(self, certificate: Certificate) -> Chain:
        """Return the chain of one of these authorities, itself first; raises InvalidInputError if it is none."""
        for authority in self._all:
            if authority.certificate == certificate:
                return self._chain_of_authority(authority)
        raise InvalidInputError(
            f"the certificate of {certificate.subject.rfc4514_string()} is not in root or intermediate certs"
        )

    def _chain_of_authority(self, authority: Authority) -> Chain:
        try:
            return (authority, *self._only_chain(authority.certificate))
        except ChainError as error:
            raise InvalidInputError(f"the CA certificate {authority.name} is not valid: {error}") from None

    def _only_chain(self, certificate: Certificate) -> Chain:
        """Return what stands above a certificate, nothing above a root; raises ChainError."""
        problem = "the supplied identity is not valid: x509: "
        try:
            chains = _Search(self._all, certificate).chains()
        except _NoChainError as error:
            raise ChainError(f"{problem}{error}") from None
        if len(chains) != 1:
            raise ChainError(f"this MSP only supports a single validation chain, got {len(chains)}")
        constrained = any(above.certificate.extensions.constraints for above in chains[0])
        if constrained and certificate.extensions.names is None and _looks_like_host(certificate):
            raise ChainError(f"{problem}issuer has name constraints but leaf doesn't have a SAN extension")
        return chains[0]


class _Search:
    """Go's Verify of one certificate, one second into its validity: all chains above it that hold."""

    def __init__(self, authorities: tuple[Authority, ...], certificate: Certificate) -> None:
        self._all = authorities
        self._leaf = certificate
        self._moment = _later(certificate.not_before)
        self._checks = 0

    def chains(self) -> list[Chain]:
        """Return the chains, each without the certificate itself; raises _NoChainError."""
        leaf = self._leaf
        problem = self._problem(leaf, ())
        if problem:
            raise _NoChainError(problem)
        if any(each.is_root and each.certificate == leaf for each in self._all):
            found: list[Chain] = [()]
        else:
            found = list(self._above((leaf,), ()))
        if not found:
            raise _NoChainError("certificate signed by unknown authority")
        held = [chain for chain in found if _policies_allow(leaf, chain)]
        if not held:
            raise _NoChainError("no valid chains built")
        held = [chain for chain in held if _usages_allow(leaf, chain)]
        if not held:
            raise _NoChainError("certificate specifies an incompatible key usage")
        return held

    def _above(self, below: tuple[Certificate, ...], chain: Chain) -> Iterator[Chain]:
        child = below[-1]
        for authority in self._all:
            if authority.certificate.subject.der != child.issuer.der:
                continue
            self._checks += 1
            if self._checks > MAX_SIGNATURE_CHECKS:
                return
            above = authority.certificate
            if any(_same_holder(above, each) for each in below) or not authority.issued(child):
                continue
            if self._problem(above, below, is_intermediate=not authority.is_root):
                continue
            if authority.is_root:
                yield (*chain, authority)
            else:
                yield from self._above((*below, above), (*chain, authority))

    def _problem(
        self, certificate: Certificate, below: tuple[Certificate, ...], *, is_intermediate: bool = False
    ) -> str | None:
        """Return why a certificate does not hold above others, None if it does (Certificate.isValid)."""
        extensions = certificate.extensions
        if extensions.unhandled_critical:
            return f"unhandled critical extension {extensions.unhandled_critical}"
        if not certificate.not_before <= self._moment <= certificate.not_after:
            return "certificate has expired or is not yet valid"
        if is_intermediate and not (extensions.has_basic_constraints and extensions.is_ca):
            return "certificate is not authorized to sign other certificates"
        length = extensions.path_length
        if length is not None and len(below) - 1 > length:
            return "too many intermediates for path length constraint"
        constraints = extensions.constraints
        if constraints and any(
            each.extensions.names and not constraints.allow(each.extensions.names) for each in below
        ):
            return "a root or intermediate certificate is not authorized to sign for this name"
        return None


def load_authority(pem: bytes, *, is_root: bool) -> Authority:
    """Read a CA certificate and check that it may issue: basicConstraints, SKI, kind of key; raises InvalidInputError."""
    certificate = read_certificate(pem)
    name = f"the CA certificate {certificate.subject.rfc4514_string()} (SN: {certificate.serial_number:x})"
    if certificate.key is None:
        raise InvalidInputError(f"{name}: public key type not recognized; expected ECDSA, Ed25519 or RSA")
    if not certificate.is_ca:
        raise InvalidInputError(f"{name} did not have the CA attribute")
    if certificate.extensions.subject_key_id is None:
        raise InvalidInputError(f"{name} has no Subject Key Identifier extension")
    return Authority(certificate, certificate.key, certificate.extensions.subject_key_id, is_root)


def is_signed_by(
    key: CertificateKey | None,
    algorithm: Algorithm,
    signature: bytes,
    message: bytes,
    *,
    allow_sha1: bool = False,
) -> bool:
    """Say whether a key signed a message by an algorithm that Go knows; revocation lists may be signed over SHA-1."""
    oid = algorithm.oid
    ecdsa, plain = ({**_ECDSA, **_ECDSA_SHA1}, {**_RSA, **_RSA_SHA1}) if allow_sha1 else (_ECDSA, _RSA)
    try:
        match key:
            case ed25519.Ed25519PublicKey() if oid == _ED25519 and not algorithm.parameters:
                key.verify(signature, message)
            case ec.EllipticCurvePublicKey() if oid in ecdsa:
                key.verify(signature, message, ec.ECDSA(ecdsa[oid]))
            case rsa.RSAPublicKey() if key.key_size >= _LEAST_RSA_BITS and oid in plain:
                key.verify(signature, message, padding.PKCS1v15(), plain[oid])
            case rsa.RSAPublicKey() if key.key_size >= _LEAST_RSA_BITS and oid == _PSS:
                digest = _PSS_PARAMETERS[algorithm.parameters]
                key.verify(signature, message, padding.PSS(padding.MGF1(digest), padding.PSS.AUTO), digest)
            case _:
                return False
    except (InvalidSignature, KeyError, ValueError, UnsupportedAlgorithm):
        return False
    return True


def chain_identifier(chain: Chain, hash_name: str = "sha256") -> bytes:
    """Return Fabric's CertifiersIdentifier: a hash over the chain's certificates, each with a low-S signature."""
    digest = hashlib.new(hash_name)
    for position, authority in enumerate(chain):
        issuer = chain[min(position + 1, len(chain) - 1)]
        digest.update(low_s_der(authority.certificate, issuer.key))
    return digest.digest()


def low_s_der(certificate: Certificate, issuer_key: CertificateKey) -> bytes:
    """Return a certificate's DER with its ECDSA signature brought to low-S (msp/cert.go, sanitizeECDSASignedCert)."""
    der, signature = certificate.der, certificate.signature
    if not isinstance(issuer_key, ec.EllipticCurvePublicKey):
        return der
    low = low_s(signature, issuer_key.curve)
    if low == signature:
        return der
    body_start = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    unsigned = der[body_start : len(der) - len(_der(0x03, b"\0" + signature))]
    return _der(0x30, unsigned + _der(0x03, b"\0" + low))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _signed(parent: Certificate, child: Certificate) -> bool:
    """Say whether a certificate may sign another, and did (Certificate.CheckSignatureFrom)."""
    extensions = parent.extensions
    if extensions.has_basic_constraints and not extensions.is_ca:
        return False
    if parent.version == 3 and not extensions.has_basic_constraints:
        return False
    if extensions.key_usage and KEY_CERT_SIGN not in extensions.key_usage:
        return False
    return is_signed_by(parent.key, child.signature_algorithm, child.signature, child.signed_part)


def _later(moment: datetime) -> datetime:
    try:
        return moment + timedelta(seconds=1)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _same_holder(one: Certificate, other: Certificate) -> bool:
    """Say whether Go takes one certificate for another in a chain: name, key and alternative names (alreadyInChain)."""
    return (
        one.subject.der == other.subject.der
        and one.public_key_info == other.public_key_info
        and one.extensions.names == other.extensions.names
    )


def _usages_allow(leaf: Certificate, chain: Chain) -> bool:
    """Fabric leaves Verify's key usages at their default, so an extended key usage must include serverAuth."""
    usages = [each.extensions.extended_key_usage for each in (leaf, *(above.certificate for above in chain))]
    if leaf.extensions.extended_key_usage and ANY_USAGE in leaf.extensions.extended_key_usage:
        usages = usages[1:]
    return all(not each or SERVER_AUTH in each or ANY_USAGE in each for each in usages)


def _policies_allow(leaf: Certificate, chain: Chain) -> bool:
    """Say whether policies are there where a certificate of the chain demands them (RFC 5280, 6.1, without mappings)."""
    certificates = [*[above.certificate.extensions for above in reversed(chain)][1:], leaf.extensions]
    needed = len(certificates) + 1
    valid: set[str] | None = None  # None: any
    for position, each in enumerate(certificates):
        own = set(each.policies)
        if ANY_POLICY not in own:
            valid = own if valid is None else valid & own
        if position < len(certificates) - 1:
            needed = max(0, needed - 1)
        if each.explicit_policy is not None and (
            each.explicit_policy == 0 or position < len(certificates) - 1
        ):
            needed = min(needed, each.explicit_policy)
    return not chain or max(0, needed - 1) > 0 or valid is None or bool(valid)


def _is_own_issuer(certificate: Certificate) -> bool:
    """Say whether a root may be one: Fabric brings ECDSA signatures to low-S, and asks by whom they are (sanitizeCert)."""
    is_ecdsa = certificate.signature_algorithm.oid in _ECDSA | _ECDSA_SHA1
    return not is_ecdsa or _signed(certificate, certificate)


def _looks_like_host(certificate: Certificate) -> bool:
    names = certificate.subject.values(COMMON_NAME)
    return bool(names) and is_host(names[-1])

"""Certificate revocation lists of one MSP.

Source: msp/mspimplsetup.go (setupCRLs), msp/mspimplvalidate.go (validateCertAgainstChain).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.certificate import Algorithm, Certificate
from shirushi_core.fabric.certificate_chain import Authority, is_signed_by, load_authority
from shirushi_core.fabric.der import (
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    DerError,
    Reader,
    context,
    parse_integer,
    parse_time,
    right_aligned,
)
from shirushi_core.fabric.pem import first_block

_AUTHORITY_KEY_ID = "2.5.29.35"
_LABEL = "X509 CRL"


class RevocationLists:
    """An MSP's revocation lists as Fabric goes by them.

    A listed certificate is revoked from now on whatever date the list gives, a list is never too old, and one that its authority
    did not sign counts for nothing. One that names no authority key makes every identity of the MSP invalid.
    """

    def __init__(self, lists: Iterable[bytes]) -> None:
        """Read PEM or DER lists; raises InvalidInputError."""
        self._lists = tuple(_read(data, position) for position, data in enumerate(lists))

    def check(self, certificate: Certificate, issuer: Authority) -> None:
        """Raise RevokedError unless a certificate of an authority is on no list."""
        for each in self._lists:
            if each.authority_key_id is None:
                raise RevokedError(
                    "could not obtain Authority Key Identifier for crl: authorityKeyIdentifier not found in certificate"
                )
            if (
                each.authority_key_id != issuer.subject_key_id
                or certificate.serial_number not in each.serials
            ):
                continue
            if is_signed_by(issuer.key, each.algorithm, each.signature, each.signed_part, allow_sha1=True):
                raise RevokedError("The certificate has been revoked")


class RevokedError(ShirushiError):
    """A certificate that its MSP's revocation lists make invalid."""


@dataclass(frozen=True, slots=True)
class _List:
    authority_key_id: bytes | None
    serials: frozenset[int]
    algorithm: Algorithm
    signature: bytes
    signed_part: bytes


def newer_lists(
    present: Sequence[bytes], wanted: Sequence[bytes], authorities: Iterable[bytes]
) -> tuple[bytes, ...]:
    """Return what an MSP's lists become: those wanted, and present ones of authorities (PEM) that none wanted is of.

    Raises InvalidInputError for what is no list, and for a wanted one with a lower number than a present one of the same
    authority: it would make certificates valid again.
    """
    chosen: dict[bytes, int] = {}
    for position, data in enumerate(wanted):
        crl, key_id = _load(data, position)
        chosen[key_id] = max(chosen.get(key_id, 0), _number(crl))
    known = {load_authority(pem, is_root=True).subject_key_id for pem in authorities}
    kept = []
    for position, data in enumerate(present):
        crl, key_id = _load(data, position)
        if key_id not in chosen:
            kept += [data] if key_id in known else []
        elif chosen[key_id] < _number(crl):
            raise InvalidInputError(
                f"the revocation list of {crl.issuer.rfc4514_string()} has the number {chosen[key_id]}, the channel has number "
                f"{_number(crl)} already, which revokes more"
            )
    return (*wanted, *kept)


def _number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def _load(data: bytes, position: int) -> tuple[x509.CertificateRevocationList, bytes]:
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            crl = x509.load_pem_x509_crl(data)
        else:
            crl = x509.load_der_x509_crl(data)
        key_id = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        key_id = None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInputError(f"could not parse RevocationList {position}: {error}") from None
    if key_id is None:
        raise InvalidInputError(f"RevocationList {position} has no Authority Key Identifier")
    return crl, key_id


def _read(data: bytes, position: int) -> _List:
    """Read a list as Go does (x509.ParseCRL)."""
    try:
        if data.startswith(b"-----BEGIN X509 CRL"):
            label, data = first_block(data)
            if label != _LABEL:
                raise DerError(f"expected a PEM block {_LABEL}, found {label[:32]!r}")
        reader = Reader(data)
        outer = reader.inner(SEQUENCE)
        if not reader.empty:
            raise DerError("trailing data after CRL")
        signed_part = outer.whole(SEQUENCE)
        algorithm = _algorithm(outer.inner(SEQUENCE))
        signature = right_aligned(*outer.bit_string())
        key_id, serials = _contents(Reader(signed_part).inner(SEQUENCE))
    except InvalidInputError as error:
        raise InvalidInputError(f"could not parse RevocationList {position}: {error}") from None
    return _List(key_id, serials, algorithm, signature, signed_part)


def _contents(tbs: Reader) -> tuple[bytes | None, frozenset[int]]:
    tbs.optional(INTEGER)
    tbs.element(SEQUENCE)  # the algorithm once more
    tbs.element(SEQUENCE)  # the issuer
    _time(tbs)
    if tbs.next_is(UTC_TIME) or tbs.next_is(GENERALIZED_TIME):
        _time(tbs)
    revoked = Reader(tbs.optional(SEQUENCE) or b"")
    serials = []
    while not revoked.empty:
        entry = revoked.inner(SEQUENCE)
        serials.append(parse_integer(entry.element(INTEGER)))
        _time(entry)
    extensions = Reader(tbs.optional(context(0)) or b"")
    listed = Reader(b"" if extensions.empty else extensions.element(SEQUENCE))
    key_id = None
    while not listed.empty:
        one = listed.inner(SEQUENCE)
        oid = one.oid()
        if one.next_is(1):
            one.boolean()
        value = one.element(OCTET_STRING)
        if oid == _AUTHORITY_KEY_ID and key_id is None:
            key_id = Reader(value).inner(SEQUENCE).optional(context(0, constructed=False)) or b""
    return key_id, frozenset(serials)


def _algorithm(reader: Reader) -> Algorithm:
    oid = reader.oid()
    return Algorithm(oid, b"" if reader.empty else reader.any_element()[2])


def _time(reader: Reader) -> None:
    tag, content, _ = reader.any_element()
    parse_time(tag, content)

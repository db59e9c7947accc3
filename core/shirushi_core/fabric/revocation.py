"""Certificate revocation lists of one MSP.

Source: msp/mspimplsetup.go (setupCRLs), msp/mspimplvalidate.go (validateCertAgainstChain).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate_chain import Authority, load_authority


def revoked_serials(
    lists: Iterable[bytes], authorities: Iterable[Authority]
) -> Mapping[bytes, frozenset[int]]:
    """Return each authority's revoked serial numbers, by its subject key id, out of PEM or DER lists.

    As in Fabric, a listed certificate is revoked from now on whatever date the list gives, a list is never too old,
    and one that none of the authorities signed counts for nothing. Raises InvalidInputError for what is no list, or
    names no authority key.
    """
    known = tuple(authorities)
    revoked: dict[bytes, frozenset[int]] = {}
    for position, data in enumerate(lists):
        crl, key_id = _load(data, position)
        for authority in known:
            if authority.subject_key_id == key_id and crl.is_signature_valid(authority.key):
                serials = frozenset(entry.serial_number for entry in crl)
                revoked[key_id] = revoked.get(key_id, frozenset()) | serials
    return revoked


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

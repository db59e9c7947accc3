"""Certificate revocation lists of one MSP.

Source: msp/mspimplsetup.go (setupCRLs), msp/mspimplvalidate.go (validateCertAgainstChain).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.certificate_chain import Authority


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

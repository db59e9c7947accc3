"""Certificates, policies and other contents of a channel's configuration, in words for people.

Contents are others' bytes: text that is not printable is escaped, and what does not decode is named by its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from fabric_protos.common import policies_pb2
from fabric_protos.msp import identities_pb2, msp_principal_pb2
from google.protobuf.message import DecodeError

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.signing import load_certificate

MAX_SHOWN = 200
"""Characters shown of a text; longer ones are cut and named by their SHA-256."""

MAX_POLICY_DEPTH = 32

_RULES = {
    policies_pb2.ImplicitMetaPolicy.ANY: "any one",
    policies_pb2.ImplicitMetaPolicy.ALL: "all",
    policies_pb2.ImplicitMetaPolicy.MAJORITY: "a majority",
}
_KINDS = msp_principal_pb2.MSPPrincipal


def text_words(text: str) -> str:
    """Return a text as it can be printed: escaped if need be, cut if it is long."""
    if not text:
        return "(empty)"
    shown = text if text.isprintable() else ascii(text)
    if len(shown) <= MAX_SHOWN:
        return shown
    return f"{shown[:MAX_SHOWN]}… (SHA-256 {_sha256(text.encode(errors='surrogatepass'))})"


def bytes_words(data: bytes) -> str:
    """Name bytes that are not understood by their number and SHA-256."""
    return f"{len(data)} bytes with SHA-256 {_sha256(data)}" if data else "(empty)"


def certificate_fingerprint(pem: bytes) -> str:
    """Return the SHA-256 of a certificate (of its DER form) in hex; raises InvalidInputError if it is none."""
    return load_certificate(pem).fingerprint(hashes.SHA256()).hex()


def certificate_words(pem: bytes) -> str:
    """Describe a certificate by subject, serial number, SHA-256 (of its DER form) and end of validity, in UTC."""
    if not pem:
        return "(none)"
    try:
        certificate = load_certificate(pem)
        name = text_words(certificate.subject.rfc4514_string())
        return (
            f"{name} (serial {certificate.serial_number:x}, SHA-256 {certificate_fingerprint(pem)}, "
            f"valid until {validity_words(certificate)})"
        )
    except (InvalidInputError, ValueError):
        return f"no readable certificate: {bytes_words(pem)}"


def validity_words(certificate: x509.Certificate) -> str:
    """Return when a certificate's validity ends, in UTC."""
    return certificate.not_valid_after_utc.strftime("%Y-%m-%d %H:%M:%S UTC")


def revocation_list_words(data: bytes) -> str:
    """Describe a certificate revocation list, PEM or DER, by issuer, serial numbers and SHA-256 of its bytes."""
    try:
        is_pem = data.lstrip().startswith(b"-----BEGIN")
        crl = (x509.load_pem_x509_crl if is_pem else x509.load_der_x509_crl)(data)
        serials = [f"{entry.serial_number:x}" for entry in crl]
        issuer = text_words(crl.issuer.rfc4514_string())
    except ValueError:
        return f"no readable revocation list: {bytes_words(data)}"
    listed = text_words(", ".join(serials)) if serials else "none"
    return f"of {issuer}, revoked serials: {listed} (SHA-256 {_sha256(data)})"


def policy_words(policy: policies_pb2.Policy) -> str:
    """Describe a policy: "a majority of the Admins policies below", "2 of (…)"."""
    try:
        if policy.type == policies_pb2.Policy.SIGNATURE:
            envelope = policies_pb2.SignaturePolicyEnvelope.FromString(policy.value)
            return _rule_words(envelope.rule, envelope.identities, 0)
        if policy.type == policies_pb2.Policy.IMPLICIT_META:
            meta = policies_pb2.ImplicitMetaPolicy.FromString(policy.value)
            rule = _RULES.get(meta.rule, f"unknown rule {meta.rule}")
            return f"{rule} of the {text_words(meta.sub_policy)} policies below"
    except DecodeError:
        return f"a policy of type {policy.type} that does not decode: {bytes_words(policy.value)}"
    return f"a policy of unknown type {policy.type}: {bytes_words(policy.value)}"


def _rule_words(rule: policies_pb2.SignaturePolicy, principals: Sequence[Any], depth: int) -> str:
    kind = rule.WhichOneof("Type")
    if depth > MAX_POLICY_DEPTH:
        return f"rules nested too deeply: {bytes_words(rule.SerializeToString(deterministic=True))}"
    if kind == "signed_by":
        if 0 <= rule.signed_by < len(principals):
            return _principal_words(principals[rule.signed_by])
        return f"principal {rule.signed_by}, which does not exist"
    if kind != "n_out_of":
        return "an empty rule"
    parts = [_rule_words(each, principals, depth + 1) for each in rule.n_out_of.rules]
    if len(parts) == 1 and rule.n_out_of.n == 1:
        return parts[0]
    return f"{rule.n_out_of.n} of ({'; '.join(parts)})"


def _principal_words(principal: msp_principal_pb2.MSPPrincipal) -> str:
    kind, body = principal.principal_classification, principal.principal
    try:
        if kind == _KINDS.ROLE:
            role = msp_principal_pb2.MSPRole.FromString(body)
            known = role.role in msp_principal_pb2.MSPRole.MSPRoleType.values()
            name = (
                msp_principal_pb2.MSPRole.MSPRoleType.Name(role.role).lower()
                if known
                else f"role {role.role}"
            )
            return f"{text_words(role.msp_identifier)}.{name}"
        if kind == _KINDS.IDENTITY:
            identity = identities_pb2.SerializedIdentity.FromString(body)
            return f"{text_words(identity.mspid)}'s {certificate_words(identity.id_bytes)}"
        if kind == _KINDS.ORGANIZATION_UNIT:
            unit = msp_principal_pb2.OrganizationUnit.FromString(body)
            return (
                f"unit {text_words(unit.organizational_unit_identifier)} of {text_words(unit.msp_identifier)} "
                f"(certifiers {unit.certifiers_identifier.hex() or 'any'})"
            )
    except DecodeError:
        pass
    return f"a principal of kind {kind}: {bytes_words(body)}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

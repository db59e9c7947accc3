"""A certificate's extensions as Go reads them: all that it knows has to be well-formed, critical or not.

Source: Go 1.26 crypto/x509/parser.go (processExtensions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shirushi_core.fabric.der import (
    BOOLEAN,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Reader,
    context,
)
from shirushi_core.fabric.name_constraints import (
    AlternativeNames,
    NameConstraints,
    read_constraints,
    read_names,
)

KEY_CERT_SIGN = 5
"""The bit of keyUsage that lets a key sign certificates."""

SERVER_AUTH, ANY_USAGE = "1.3.6.1.5.5.7.3.1", "2.5.29.37.0"
ANY_POLICY = "2.5.29.32.0"
_AUTHORITY_INFORMATION = "1.3.6.1.5.5.7.1.1"


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension, not yet read."""

    oid: str
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the extensions say; None where there is none of the kind."""

    has_basic_constraints: bool = False
    is_ca: bool = False
    path_length: int | None = None
    key_usage: frozenset[int] = frozenset()  # bits that are set; none as if there were no such extension
    extended_key_usage: tuple[str, ...] | None = None
    subject_key_id: bytes | None = None
    authority_key_id: bytes | None = None
    names: AlternativeNames | None = None
    constraints: NameConstraints | None = None
    policies: tuple[str, ...] = ()
    explicit_policy: int | None = None  # certificates below which a policy is needed
    unhandled_critical: str | None = None  # the first that Go does not know


def read_extensions(extensions: Sequence[Extension]) -> Extensions:
    """Read a certificate's extensions; raises DerError."""
    found = Extensions()
    for each in extensions:
        known = _read(found, each)
        if known is not None:
            found = known
        elif each.critical and found.unhandled_critical is None:
            found = replace(found, unhandled_critical=each.oid)
    return found


def _read(found: Extensions, extension: Extension) -> Extensions | None:
    """Return what is known with this extension too, None for one that Go does not handle."""
    value = Reader(extension.value)
    match extension.oid:
        case "2.5.29.15":
            return replace(found, key_usage=_key_usage(value))
        case "2.5.29.19":
            return _basic_constraints(found, value)
        case "2.5.29.17":
            names = read_names(extension.value)
            known = replace(found, names=names)
            return known if names.any or not extension.critical else _unhandled(known, extension)
        case "2.5.29.30":
            constraints = read_constraints(extension.value)
            known = replace(found, constraints=constraints)
            unhandled = extension.critical and constraints.unhandled
            return _unhandled(known, extension) if unhandled else known
        case "2.5.29.31":
            _check_distribution_points(value)
            return found
        case "2.5.29.35":
            return replace(found, authority_key_id=_authority_key_id(extension))
        case "2.5.29.36":
            return replace(found, explicit_policy=_policy_constraints(value))
        case "2.5.29.37":
            return replace(found, extended_key_usage=tuple(_oids(value.inner(SEQUENCE))))
        case "2.5.29.14":
            if extension.critical:
                raise DerError("subject key identifier incorrectly marked critical")
            return replace(found, subject_key_id=value.element(OCTET_STRING))
        case "2.5.29.32":
            return replace(found, policies=_policies(value))
        case "2.5.29.33":
            _check_mappings(value)
            return found
        case "2.5.29.54":
            if value.integer() < 0:
                raise DerError("invalid inhibit any policy extension")
            return found
        case "1.3.6.1.5.5.7.1.1":
            _check_authority_information(extension)
            return found
    return None


def _unhandled(found: Extensions, extension: Extension) -> Extensions:
    return found if found.unhandled_critical else replace(found, unhandled_critical=extension.oid)


def _key_usage(value: Reader) -> frozenset[int]:
    content, unused = value.bit_string()
    count = min(9, 8 * len(content) - unused)
    return frozenset(bit for bit in range(count) if content[bit // 8] & 0x80 >> bit % 8)


def _basic_constraints(found: Extensions, value: Reader) -> Extensions:
    content = value.inner(SEQUENCE)
    is_ca = content.boolean() if content.next_is(BOOLEAN) else False
    length = content.integer() if content.next_is(INTEGER) else None
    if length is not None and not 0 <= length < 1 << 63:
        raise DerError("invalid basic constraints")
    return replace(found, has_basic_constraints=True, is_ca=is_ca, path_length=length)


def _authority_key_id(extension: Extension) -> bytes | None:
    if extension.critical:
        raise DerError("authority key identifier incorrectly marked critical")
    return Reader(extension.value).inner(SEQUENCE).optional(context(0, constructed=False))


def _policy_constraints(value: Reader) -> int | None:
    content = value.inner(SEQUENCE)
    found: list[int | None] = []
    for number in (0, 1):
        count = content.optional(context(number, constructed=False))
        found.append(None if count is None else int.from_bytes(count, "big"))
    return found[0]


def _oids(reader: Reader) -> list[str]:
    found = []
    while not reader.empty:
        found.append(reader.oid())
    return found


def _policies(value: Reader) -> tuple[str, ...]:
    found: list[str] = []
    content = value.inner(SEQUENCE)
    while not content.empty:
        policy = content.inner(SEQUENCE).oid()
        if policy in found:
            raise DerError("invalid certificate policies: one stands there twice")
        found.append(policy)
    return tuple(found)


def _check_mappings(value: Reader) -> None:
    content = value.inner(SEQUENCE)
    while not content.empty:
        pair = content.inner(SEQUENCE)
        pair.oid()
        pair.oid()


def _check_distribution_points(value: Reader) -> None:
    content = value.inner(SEQUENCE)
    while not content.empty:
        point = content.inner(SEQUENCE)
        name = point.optional(context(0))
        if name is None:
            continue
        full = Reader(name).optional(context(0))
        names = Reader(full or b"")
        while names.next_is(context(6, constructed=False)):
            names.any_element()


def _check_authority_information(extension: Extension) -> None:
    if extension.critical:
        raise DerError("authority info access incorrectly marked critical")
    content = Reader(extension.value).inner(SEQUENCE)
    while not content.empty:
        one = content.inner(SEQUENCE)
        one.oid()
        if one.next_is(context(6, constructed=False)):
            one.any_element()

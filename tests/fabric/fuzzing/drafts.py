"""Certificates in the making: every part of one as bytes, to be changed before it is signed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from random import Random

from tests.fabric.fuzzing.der import (
    UTC_TIME,
    UTF8,
    bits,
    boolean,
    explicit,
    implicit,
    integer,
    octets,
    oid,
    sequence,
    set_of,
    tlv,
)
from tests.fabric.fuzzing.keys import Key

COMMON_NAME, ORGANIZATION, UNIT, COUNTRY = "2.5.4.3", "2.5.4.10", "2.5.4.11", "2.5.4.6"
SUBJECT_KEY_ID, KEY_USAGE, ALTERNATIVE_NAME = "2.5.29.14", "2.5.29.15", "2.5.29.17"
BASIC_CONSTRAINTS, NAME_CONSTRAINTS, AUTHORITY_KEY_ID = "2.5.29.19", "2.5.29.30", "2.5.29.35"
EXTENDED_KEY_USAGE, POLICIES = "2.5.29.37", "2.5.29.32"

FAR_BACK, FAR_AHEAD = "250101000000Z", "350101000000Z"


@dataclass
class Extension:
    """One extension; `critical` None leaves the field out, False writes the default that DER forbids."""

    oid: str
    value: bytes
    critical: bool | None = None

    @property
    def der(self) -> bytes:
        critical = b"" if self.critical is None else boolean(self.critical)
        return sequence(oid(self.oid), critical, octets(self.value))


@dataclass
class Issuer:
    """A CA that signs drafts: its name as it stands in its certificate, and its key.

    `begin` is a time at which it is valid: Fabric judges chains at the beginning of a certificate's own validity.
    """

    name: bytes
    key: Key
    key_id: bytes
    begin: str = FAR_BACK


@dataclass
class Draft:
    """A certificate's parts; `der` puts them together and signs."""

    issuer: Issuer
    key: Key
    serial: bytes
    rdns: list[bytes]
    extensions: list[Extension]
    version: bytes = explicit(0, integer(2))
    issuer_name: bytes = b""
    not_before: bytes = tlv(UTC_TIME, FAR_BACK.encode())
    not_after: bytes = tlv(UTC_TIME, FAR_AHEAD.encode())
    spki: bytes = b""
    unique_ids: bytes = b""
    more: bytes = b""  # behind the extensions
    hash_name: str = "SHA-256"
    inner_algorithm: bytes | None = None
    outer_algorithm: bytes | None = None
    high: bool = False
    signature: Callable[[bytes], bytes] = lambda signature: signature
    certificate: Callable[[bytes], bytes] = lambda made: made
    pem: Callable[[bytes], bytes] = lambda made: as_pem(made)

    def extension(self, dotted: str) -> Extension:
        """Return the extension with an object id, added if it is not there."""
        for each in self.extensions:
            if each.oid == dotted:
                return each
        self.extensions.append(Extension(dotted, b""))
        return self.extensions[-1]

    def without(self, dotted: str) -> None:
        """Take an extension away."""
        self.extensions = [each for each in self.extensions if each.oid != dotted]

    @property
    def der(self) -> bytes:
        """The signed certificate."""
        algorithm = self.issuer.key.algorithm(self.hash_name)
        inner = algorithm if self.inner_algorithm is None else self.inner_algorithm
        outer = algorithm if self.outer_algorithm is None else self.outer_algorithm
        extensions = (
            explicit(3, sequence(*(each.der for each in self.extensions))) if self.extensions else b""
        )
        signed = sequence(
            self.version,
            self.serial,
            inner,
            self.issuer_name or self.issuer.name,
            sequence(self.not_before, self.not_after),
            sequence(*self.rdns),
            self.spki or self.key.spki,
            self.unique_ids,
            extensions,
            self.more,
        )
        signature = self.signature(self.issuer.key.sign(signed, self.hash_name, high=self.high))
        return self.certificate(sequence(signed, outer, bits(signature)))

    @property
    def encoded(self) -> bytes:
        """The signed certificate as it stands in identities and configurations."""
        return self.pem(self.der)


def as_pem(
    content: bytes, label: str = "CERTIFICATE", *, width: int = 64, end: str = "\n", headers: str = ""
) -> bytes:
    """Return PEM."""
    text = base64.b64encode(content).decode()
    lines = [text[start : start + width] for start in range(0, len(text), width)]
    return f"-----BEGIN {label}-----{end}{headers}{end.join(lines)}{end}-----END {label}-----{end}".encode()


def attribute(dotted: str, value: bytes, tag: int = UTF8) -> bytes:
    """Return an AttributeTypeAndValue."""
    return sequence(oid(dotted), tlv(tag, value))


def rdn(*attributes: bytes) -> bytes:
    return set_of(*attributes)


def key_id(key: Key) -> bytes:
    return sha1(key.spki).digest()


def usage(*numbers: int) -> bytes:
    """Return a KeyUsage with these bits: 0 digitalSignature, 5 keyCertSign, 6 cRLSign."""
    last = max(numbers)
    found = bytearray(last // 8 + 1)
    for number in numbers:
        found[number // 8] |= 0x80 >> number % 8
    return bits(bytes(found), 7 - last % 8)


def basic_constraints(ca: bool, path_length: int | None = None) -> bytes:
    length = b"" if path_length is None else integer(path_length)
    return sequence(boolean(True) if ca else b"", length)


def end_entity(issuer: Issuer, role: str, random: Random, key: Key) -> Draft:
    """Return a certificate as our own tools issue it: unit and name, six extensions of the usual kind."""
    return Draft(
        issuer=issuer,
        key=key,
        not_before=tlv(UTC_TIME, issuer.begin.encode()),
        serial=integer(random.getrandbits(120) | 1),
        rdns=[
            rdn(attribute(ORGANIZATION, b"Odd")),
            rdn(attribute(UNIT, role.encode())),
            rdn(attribute(COMMON_NAME, b"someone odd")),
        ],
        extensions=[
            Extension(SUBJECT_KEY_ID, octets(key_id(key))),
            Extension(BASIC_CONSTRAINTS, sequence(), True),
            Extension(KEY_USAGE, usage(0), True),
            Extension(AUTHORITY_KEY_ID, sequence(implicit(0, issuer.key_id))),
        ],
    )


def authority(
    name: bytes, key: Key, random: Random, issuer: Issuer | None = None, path_length: int | None = None
) -> Draft:
    """Return a CA certificate, self-signed unless another CA issues it."""
    rdns = [rdn(attribute(ORGANIZATION, b"Odd")), rdn(attribute(COMMON_NAME, name))]
    own = Issuer(sequence(*rdns), key, key_id(key))
    return Draft(
        issuer=issuer or own,
        key=key,
        serial=integer(random.getrandbits(120) | 1),
        rdns=rdns,
        extensions=[
            Extension(SUBJECT_KEY_ID, octets(key_id(key))),
            Extension(BASIC_CONSTRAINTS, basic_constraints(True, path_length), True),
            Extension(KEY_USAGE, usage(5, 6), True),
        ],
    )


def issuer_of(draft: Draft) -> Issuer:
    """Return a CA certificate's draft as an issuer."""
    return Issuer(sequence(*draft.rdns), draft.key, key_id(draft.key))


def general_names(*names: bytes) -> bytes:
    return sequence(*names)


DNS, EMAIL, URI, IP, DIRECTORY = 2, 1, 6, 7, 4
"""Kinds of general names."""


def name_constraints(permitted: tuple[bytes, ...] = (), excluded: tuple[bytes, ...] = ()) -> bytes:
    parts = b""
    for number, names in ((0, permitted), (1, excluded)):
        if names:
            parts += explicit(number, b"".join(sequence(each) for each in names))
    return sequence(parts)

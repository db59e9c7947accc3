"""What can be odd about a certificate, each oddity by its name."""

from __future__ import annotations

from collections.abc import Callable

from tests.fabric.fuzzing.der import (
    BMP,
    GENERAL_TIME,
    IA5,
    NULL,
    NUMERIC,
    PRINTABLE,
    T61,
    UNIVERSAL,
    UTC_TIME,
    UTF8,
    VISIBLE,
    bits,
    explicit,
    implicit,
    integer,
    oid,
    sequence,
    set_of,
    tlv,
)
from tests.fabric.fuzzing.drafts import (
    COMMON_NAME,
    COUNTRY,
    ORGANIZATION,
    UNIT,
    Draft,
    as_pem,
    attribute,
    rdn,
)
from tests.fabric.fuzzing.extension_oddities import EXTENSIONS
from tests.fabric.fuzzing.oddity import (
    UNKNOWN,
    Oddity,
    named,
    with_key,
    with_parts,
    with_pem,
    with_time,
)


def _of_unit(draft: Draft, tag: int, encode: Callable[[str], bytes]) -> None:
    role = next(each for each in ("client", "peer", "admin", "orderer", "") if each.encode() in draft.rdns[1])
    draft.rdns[1] = rdn(attribute(UNIT, encode(role), tag))


def _unit(tag: int, encode: Callable[[str], bytes]) -> Oddity:
    return lambda draft, _: _of_unit(draft, tag, encode)


_RSA_PSS = sequence(
    oid("1.2.840.113549.1.1.10"),
    sequence(explicit(0, sequence(oid("2.16.840.1.101.3.4.2.1"), NULL))),
)

ENCODINGS: dict[str, Oddity] = {
    "serial: negative": with_parts(serial=integer(-5)),
    "serial: zero": with_parts(serial=integer(0)),
    "serial: huge": lambda d, r: setattr(d, "serial", integer(r.getrandbits(1200))),
    "serial: 21 bytes": lambda d, r: setattr(d, "serial", integer(1 << 164 | r.getrandbits(160))),
    "serial: leading zeros": with_parts(serial=b"\x02\x04\x00\x00\x00\x05"),
    "serial: empty": with_parts(serial=b"\x02\x00"),
    "version: 1": with_parts(version=b""),
    "version: 1, written": with_parts(version=explicit(0, integer(0))),
    "version: 2": with_parts(version=explicit(0, integer(1))),
    "version: 4": with_parts(version=explicit(0, integer(3))),
    "version: 1 without extensions": lambda d, _: (
        setattr(d, "version", b""),
        setattr(d, "extensions", []),
    )[0],
    "unique ids": with_parts(unique_ids=implicit(1, b"\x00abc") + implicit(2, b"\x00def")),
    "something behind the extensions": with_parts(more=explicit(4, NULL)),
    "unit: printable": _unit(PRINTABLE, str.encode),
    "unit: T61": _unit(T61, str.encode),
    "unit: BMP": _unit(BMP, lambda role: role.encode("utf-16-be")),
    "unit: universal": _unit(UNIVERSAL, lambda role: role.encode("utf-32-be")),
    "unit: IA5": _unit(IA5, str.encode),
    "unit: visible": _unit(VISIBLE, str.encode),
    "unit: numeric": _unit(NUMERIC, str.encode),
    "unit: octets": _unit(0x04, str.encode),
    "unit: upper case": _unit(UTF8, lambda role: role.upper().encode()),
    "unit: space behind": _unit(UTF8, lambda role: f"{role} ".encode()),
    "unit: missing": lambda d, _: d.rdns.pop(1),
    "unit: twice the same": lambda d, _: d.rdns.append(d.rdns[1]),
    "unit: another role too": named(rdn(attribute(UNIT, b"admin"))),
    "unit: another one": named(rdn(attribute(UNIT, "証明課".encode()))),
    "unit: empty one": named(rdn(attribute(UNIT, b""))),
    "name: UTF-8": named(rdn(attribute(COMMON_NAME, "飯塚市".encode()))),
    "name: UTF-8 that is none": named(rdn(attribute(COMMON_NAME, b"\xff\xfe"))),
    "name: printable with @": named(rdn(attribute(ORGANIZATION, b"a@b_c&d*", PRINTABLE))),
    "name: T61, high bytes": named(rdn(attribute(ORGANIZATION, b"\xe4\xf6", T61))),
    "name: BMP": named(rdn(attribute(ORGANIZATION, "飯塚".encode("utf-16-be"), BMP))),
    "name: BMP surrogates": named(rdn(attribute(ORGANIZATION, "🔑".encode("utf-16-be"), BMP))),
    "name: BMP half": named(rdn(attribute(ORGANIZATION, b"\x00a\x00", BMP))),
    "name: BMP lone surrogate": named(rdn(attribute(ORGANIZATION, b"\xd8\x00", BMP))),
    "name: BMP, zero at the end": named(rdn(attribute(ORGANIZATION, b"\x00a\x00\x00", BMP))),
    "name: universal": named(rdn(attribute(ORGANIZATION, b"\x00\x00\x00a", UNIVERSAL))),
    "name: IA5, high bytes": named(rdn(attribute(ORGANIZATION, b"\x80", IA5))),
    "name: numeric letters": named(rdn(attribute(ORGANIZATION, b"abc", NUMERIC))),
    "name: teletex zero": named(rdn(attribute(ORGANIZATION, b"a\x00b", T61))),
    "name: an integer": named(rdn(sequence(oid(ORGANIZATION), integer(5)))),
    "name: general string": named(rdn(attribute(ORGANIZATION, b"abc", 0x1B))),
    "name: a time": named(rdn(attribute(ORGANIZATION, b"250101000000Z", UTC_TIME))),
    "name: long": named(rdn(attribute(COMMON_NAME, b"x" * 3000))),
    "name: country of three": named(rdn(attribute(COUNTRY, b"JPN", PRINTABLE))),
    "name: country empty": named(rdn(attribute(COUNTRY, b"", PRINTABLE))),
    "name: unknown attribute": named(rdn(attribute(UNKNOWN, b"x"))),
    "name: zero byte": named(rdn(attribute(COMMON_NAME, b"a\x00b"))),
    "name: several in one": named(rdn(attribute(COMMON_NAME, b"a"), attribute(ORGANIZATION, b"b"))),
    "name: several units in one": named(rdn(attribute(UNIT, b"x"), attribute(UNIT, b"y"))),
    "name: several, out of order": named(rdn(attribute(ORGANIZATION, b"b"), attribute(COMMON_NAME, b"a"))),
    "name: empty set": named(set_of()),
    "name: empty": with_parts(rdns=[]),
    "name: three parts": named(rdn(sequence(oid(COMMON_NAME), tlv(UTF8, b"x"), NULL))),
    "name: host": named(rdn(attribute(COMMON_NAME, b"odd.example"))),
    "length: padded": with_parts(certificate=lambda made: _padded(made)),
    "length: indefinite": with_parts(certificate=lambda made: b"\x30\x80" + made[4:] + b"\x00\x00"),
    "trailing bytes": with_parts(certificate=lambda made: made + b"\x00\x00"),
    "truncated": with_parts(certificate=lambda made: made[:-3]),
    "signature: padded length": with_parts(signature=lambda made: b"\x30\x81" + made[1:]),
    "signature: trailing": with_parts(signature=lambda made: made + b"\x00"),
    "signature: empty": with_parts(signature=lambda _: b""),
    "signature: leading zeros": with_parts(signature=lambda made: _loose(made)),
    "signature: garbage": with_parts(signature=lambda _: b"\x30\x06\x02\x01\x05\x02\x01\x05"),
    "signature: wrong": with_parts(signature=lambda made: made[:-1] + bytes((made[-1] ^ 1,))),
    "signature: high S": with_parts(high=True),
    "algorithm: inner another": with_parts(inner_algorithm=sequence(oid("1.2.840.10045.4.3.3"))),
    "algorithm: outer another": with_parts(outer_algorithm=sequence(oid("1.2.840.10045.4.3.3"))),
    "algorithm: with NULL": with_parts(
        inner_algorithm=sequence(oid("1.2.840.10045.4.3.2"), NULL),
        outer_algorithm=sequence(oid("1.2.840.10045.4.3.2"), NULL),
    ),
    "algorithm: unknown": with_parts(
        inner_algorithm=sequence(oid(UNKNOWN)), outer_algorithm=sequence(oid(UNKNOWN))
    ),
    "algorithm: PSS": with_parts(inner_algorithm=_RSA_PSS, outer_algorithm=_RSA_PSS),
    "issuer: other strings": lambda d, _: setattr(d, "issuer_name", _other_strings(d.issuer.name)),
    "issuer: another": with_parts(issuer_name=sequence(rdn(attribute(COMMON_NAME, b"another")))),
    "issuer: empty": with_parts(issuer_name=sequence()),
    "PEM: end of line CRLF": with_pem(lambda made: as_pem(made, end="\r\n")),
    "PEM: one line": with_pem(lambda made: as_pem(made, width=10_000)),
    "PEM: lines of 7": with_pem(lambda made: as_pem(made, width=7)),
    "PEM: text before": with_pem(lambda made: b"Subject: somebody\n" + as_pem(made)),
    "PEM: text behind": with_pem(lambda made: as_pem(made) + b"bye\n"),
    "PEM: text before on the line": with_pem(lambda made: b"x" + as_pem(made)),
    "PEM: no newline at the end": with_pem(lambda made: as_pem(made)[:-1]),
    "PEM: spaces around": with_pem(lambda made: b" \n\n" + as_pem(made) + b"\n\t "),
    "PEM: two": with_pem(lambda made: as_pem(made) * 2),
    "PEM: a broken one first": with_pem(lambda made: b"-----BEGIN CERTIFICATE-----\n" + as_pem(made)),
    "PEM: another label": with_pem(lambda made: as_pem(made, "X509 CERTIFICATE")),
    "PEM: label of a key": with_pem(lambda made: as_pem(made, "PRIVATE KEY")),
    "PEM: no label": with_pem(lambda made: as_pem(made, "")),
    "PEM: labels differ": with_pem(lambda made: as_pem(made).replace(b"END CERT", b"END X509")),
    "PEM: headers": with_pem(lambda made: as_pem(made, headers="Proc-Type: 4\nA: b\n\n")),
    "PEM: blanks in lines": with_pem(lambda made: as_pem(made).replace(b"MII", b"M I\tI", 1)),
    "PEM: bad character": with_pem(lambda made: as_pem(made).replace(b"MII", b"M!I", 1)),
    "PEM: empty": with_pem(lambda _: as_pem(b"")),
    "PEM: DER instead": with_pem(lambda made: made),
    "PEM: nothing": with_pem(lambda _: b""),
}

ALGORITHMS: dict[str, Oddity] = {
    **{
        f"key: {kind}": with_key(kind)
        for kind in ("P-224", "P-384", "P-521", "Ed25519", "RSA-2048", "RSA-1024")
    },
    **{f"key: {kind}": with_key(kind) for kind in ("secp256k1", "brainpoolP256r1")},
    **{f"hash: {name}": with_parts(hash_name=name) for name in ("SHA-1", "SHA-224", "SHA-384", "SHA-512")},
    "key: compressed point": lambda d, _: setattr(d, "spki", _compressed(d)),
    "key: not on the curve": lambda d, _: setattr(d, "spki", d.key.spki[:-1] + bytes((d.key.spki[-1] ^ 1,))),
    "key: unused bits": lambda d, _: setattr(d, "spki", _unused_bits(d.key.spki)),
    "key: algorithm unknown": with_parts(spki=sequence(sequence(oid(UNKNOWN)), bits(b"key"))),
    "key: X25519": with_parts(spki=sequence(sequence(oid("1.3.101.110")), bits(bytes(range(32))))),
    "key: explicit curve": with_parts(
        spki=sequence(sequence(oid("1.2.840.10045.2.1"), sequence(integer(1))), bits(b"\x04" + bytes(64)))
    ),
    "key: no curve": with_parts(
        spki=sequence(sequence(oid("1.2.840.10045.2.1"), NULL), bits(b"\x04" + bytes(64)))
    ),
    "key: trailing": lambda d, _: setattr(d, "spki", sequence(d.key.spki[2:] + NULL)),
}

VALIDITY: dict[str, Oddity] = {
    "expired": with_time("not_after", "260101000000Z"),
    "expired long ago": lambda d, r: (
        with_time("not_before", "700101000000Z")(d, r),
        with_time("not_after", "700102000000Z")(d, r),
    )[0],
    "not yet": with_time("not_before", "330101000000Z"),
    "before the CA": with_time("not_before", "100101000000Z"),
    "ends before it begins": with_time("not_after", "240101000000Z"),
    "to 2049": with_time("not_after", "491231235959Z"),
    "to 1950": with_time("not_after", "500101000000Z"),
    "to 2050, generalized": with_time("not_after", "20500101000000Z", GENERAL_TIME),
    "to 2030, generalized": with_time("not_after", "20300101000000Z", GENERAL_TIME),
    "to 9999": with_time("not_after", "99991231235959Z", GENERAL_TIME),
    "from 0000": with_time("not_before", "00000101000000Z", GENERAL_TIME),
    "without seconds": with_time("not_after", "3501010000Z"),
    "offset": with_time("not_after", "350101000000+0900"),
    "fraction": with_time("not_after", "20350101000000.5Z", GENERAL_TIME),
    "no zone": with_time("not_after", "350101000000"),
    "31 February": with_time("not_after", "350231000000Z"),
    "second 60": with_time("not_after", "350101000060Z"),
    "month 13": with_time("not_after", "351301000000Z"),
    "a string": with_time("not_after", "350101000000Z", UTF8),
    "begins with the end": lambda d, _: setattr(d, "not_after", d.not_before),
}

ODDITIES: dict[str, Oddity] = {
    f"{group}: {name}": oddity
    for group, oddities in (
        ("extension", EXTENSIONS),
        ("encoding", ENCODINGS),
        ("algorithm", ALGORITHMS),
        ("validity", VALIDITY),
    )
    for name, oddity in oddities.items()
}


def _padded(made: bytes) -> bytes:
    """Give the whole certificate a length that is longer than it need be."""
    return tlv(0x30, made[4:], padding=1)


def _loose(signature: bytes) -> bytes:
    """Write both numbers of a signature with a zero byte too many."""
    size = signature[3]
    r, s = signature[4 : 4 + size], signature[6 + size :]
    return sequence(tlv(2, b"\x00" + r), tlv(2, b"\x00" + s))


def _other_strings(name: bytes) -> bytes:
    """Return a name whose strings are of another kind: equal for people, not by bytes."""
    return name.replace(b"\x0c", b"\x13")


def _compressed(draft: Draft) -> bytes:
    numbers = draft.key.private.public_key().public_numbers()
    point = bytes((2 + (numbers.y & 1),)) + numbers.x.to_bytes(32, "big")
    return sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")), bits(point))


def _unused_bits(spki: bytes) -> bytes:
    position = spki.index(b"\x03\x42\x00")
    return spki[: position + 2] + b"\x04" + spki[position + 3 :]

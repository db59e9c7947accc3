"""What can be odd about a certificate's extensions, each oddity by its name."""

from __future__ import annotations

from random import Random

from tests.fabric.fuzzing.der import (
    NULL,
    PRINTABLE,
    UTF8,
    bits,
    boolean,
    explicit,
    implicit,
    integer,
    octets,
    oid,
    sequence,
    tlv,
)
from tests.fabric.fuzzing.drafts import (
    ALTERNATIVE_NAME,
    AUTHORITY_KEY_ID,
    BASIC_CONSTRAINTS,
    COMMON_NAME,
    COUNTRY,
    DIRECTORY,
    DNS,
    EMAIL,
    EXTENDED_KEY_USAGE,
    IP,
    KEY_USAGE,
    NAME_CONSTRAINTS,
    POLICIES,
    SUBJECT_KEY_ID,
    URI,
    Extension,
    attribute,
    general_names,
    name_constraints,
    rdn,
    usage,
)
from tests.fabric.fuzzing.oddity import (
    UNKNOWN,
    Oddity,
    one_more,
    with_extension,
    with_parts,
    without,
)


def _names(*names: bytes) -> Oddity:
    return with_extension(ALTERNATIVE_NAME, general_names(*names))


def _some_extension(random: Random) -> str:
    return f"1.2.3.{random.randrange(1, 1 << 40)}"


_INHIBIT, _ISSUER_ALTERNATIVE, _CRL_POINTS, _AIA = "2.5.29.54", "2.5.29.18", "2.5.29.31", "1.3.6.1.5.5.7.1.1"
_POLICY_CONSTRAINTS, _POLICY_MAPPINGS, _FRESHEST = "2.5.29.36", "2.5.29.33", "2.5.29.46"
_SERVER, _CLIENT, _ANY = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
EXTENSIONS: dict[str, Oddity] = {
    "unknown": with_extension(UNKNOWN, b"whatever"),
    "unknown, critical": with_extension(UNKNOWN, b"whatever", True),
    "unknown, written as not critical": with_extension(UNKNOWN, b"whatever", False),
    "unknown, empty": with_extension(UNKNOWN, b""),
    "unknown twice": lambda d, _: d.extensions.extend([Extension(UNKNOWN, b"1"), Extension(UNKNOWN, b"2")]),
    "a hundred unknown": lambda d, _: d.extensions.extend(Extension(f"1.2.3.{n}", b"") for n in range(100)),
    "unknown, random": lambda d, r: d.extensions.append(
        Extension(_some_extension(r), r.randbytes(r.randrange(99)), r.choice((None, None, True)))
    ),
    "key usage twice": one_more(KEY_USAGE, usage(0)),
    "key id twice": one_more(SUBJECT_KEY_ID, octets(b"again")),
    "no extensions": with_parts(extensions=[]),
    "no basic constraints": without(BASIC_CONSTRAINTS),
    "no key usage": without(KEY_USAGE),
    "no key ids": without(SUBJECT_KEY_ID, AUTHORITY_KEY_ID),
    "basic constraints: path without CA": with_extension(BASIC_CONSTRAINTS, sequence(integer(3)), True),
    "basic constraints: not critical": with_extension(BASIC_CONSTRAINTS, sequence()),
    "basic constraints: default written": with_extension(BASIC_CONSTRAINTS, sequence(boolean(False))),
    "basic constraints: CA": with_extension(BASIC_CONSTRAINTS, sequence(boolean(True)), True),
    "basic constraints: boolean 1": with_extension(BASIC_CONSTRAINTS, sequence(b"\x01\x01\x01")),
    "basic constraints: negative path": with_extension(
        BASIC_CONSTRAINTS, sequence(boolean(True), integer(-1)), True
    ),
    "basic constraints: huge path": with_extension(BASIC_CONSTRAINTS, sequence(integer(1 << 70)), True),
    "basic constraints: trailing": with_extension(BASIC_CONSTRAINTS, sequence() + NULL),
    "basic constraints: garbage": with_extension(BASIC_CONSTRAINTS, b"\xff\xff"),
    "basic constraints: empty": with_extension(BASIC_CONSTRAINTS, b""),
    "key usage: everything": with_extension(KEY_USAGE, usage(*range(9)), True),
    "key usage: none": with_extension(KEY_USAGE, bits(b"\x00", 0)),
    "key usage: empty string": with_extension(KEY_USAGE, bits(b"")),
    "key usage: no signing": with_extension(KEY_USAGE, usage(2), True),
    "key usage: unused bits set": with_extension(KEY_USAGE, bits(b"\xff", 3)),
    "key usage: garbage": with_extension(KEY_USAGE, b"\x04\x01\x00"),
    "key usage: trailing": with_extension(KEY_USAGE, usage(0) + NULL),
    "extended usage: server": with_extension(EXTENDED_KEY_USAGE, sequence(oid(_SERVER))),
    "extended usage: server, critical": with_extension(EXTENDED_KEY_USAGE, sequence(oid(_SERVER)), True),
    "extended usage: client": with_extension(EXTENDED_KEY_USAGE, sequence(oid(_CLIENT))),
    "extended usage: any": with_extension(EXTENDED_KEY_USAGE, sequence(oid(_ANY))),
    "extended usage: unknown": with_extension(EXTENDED_KEY_USAGE, sequence(oid(UNKNOWN))),
    "extended usage: none": with_extension(EXTENDED_KEY_USAGE, sequence()),
    "extended usage: unknown and server": with_extension(
        EXTENDED_KEY_USAGE, sequence(oid(UNKNOWN), oid(_SERVER))
    ),
    "extended usage: garbage": with_extension(EXTENDED_KEY_USAGE, b"\x30\x03\x06"),
    "names: DNS": _names(implicit(DNS, b"odd.example")),
    "names: wildcard": _names(implicit(DNS, b"*.odd.example")),
    "names: DNS not ASCII": _names(implicit(DNS, b"\xe8\xa8\xbc.example")),
    "names: empty DNS": _names(implicit(DNS, b"")),
    "names: none": _names(),
    "names: e-mail": _names(implicit(EMAIL, b"a@odd.example")),
    "names: e-mail that is none": _names(implicit(EMAIL, b"not an address")),
    "names: URI": _names(implicit(URI, b"https://odd.example/path")),
    "names: URI that is none": _names(implicit(URI, b"http://[::1/%zz")),
    "names: IP": _names(implicit(IP, bytes((10, 0, 0, 1)))),
    "names: IP of five bytes": _names(implicit(IP, bytes(5))),
    "names: directory": _names(explicit(DIRECTORY, sequence(rdn(attribute(COMMON_NAME, b"x"))))),
    "names: other": _names(explicit(0, oid(UNKNOWN) + explicit(0, tlv(UTF8, b"x")))),
    "names: registered id": _names(implicit(8, oid(UNKNOWN)[2:])),
    "names: unknown kind": _names(implicit(12, b"x")),
    "names: critical": with_extension(ALTERNATIVE_NAME, general_names(implicit(DNS, b"odd.example")), True),
    "names: critical and other": with_extension(
        ALTERNATIVE_NAME, general_names(explicit(0, oid(UNKNOWN) + explicit(0, tlv(UTF8, b"x")))), True
    ),
    "names: garbage": with_extension(ALTERNATIVE_NAME, b"\x30\x05\x82"),
    "name constraints": with_extension(NAME_CONSTRAINTS, name_constraints((implicit(DNS, b"odd.example"),))),
    "name constraints, critical": with_extension(
        NAME_CONSTRAINTS, name_constraints((implicit(DNS, b".odd.example"),)), True
    ),
    "name constraints: excluded": with_extension(
        NAME_CONSTRAINTS, name_constraints((), (implicit(IP, bytes(8)),)), True
    ),
    "name constraints: directory": with_extension(
        NAME_CONSTRAINTS,
        name_constraints((explicit(DIRECTORY, sequence(rdn(attribute(COUNTRY, b"JP", PRINTABLE)))),)),
    ),
    "name constraints: directory, critical": with_extension(
        NAME_CONSTRAINTS,
        name_constraints((explicit(DIRECTORY, sequence(rdn(attribute(COUNTRY, b"JP", PRINTABLE)))),)),
        True,
    ),
    "name constraints: empty": with_extension(NAME_CONSTRAINTS, sequence()),
    "name constraints: bad mask": with_extension(
        NAME_CONSTRAINTS, name_constraints((implicit(IP, bytes((10, 0, 0, 0, 255, 0, 255, 0))),))
    ),
    "name constraints: bad DNS": with_extension(
        NAME_CONSTRAINTS, name_constraints((implicit(DNS, b"a..b"),))
    ),
    "name constraints: garbage": with_extension(NAME_CONSTRAINTS, b"\x30\x80"),
    "authority key id: another": with_extension(AUTHORITY_KEY_ID, sequence(implicit(0, b"another"))),
    "authority key id: empty": with_extension(AUTHORITY_KEY_ID, sequence()),
    "authority key id: critical": with_extension(AUTHORITY_KEY_ID, sequence(implicit(0, b"k")), True),
    "authority key id: garbage": with_extension(AUTHORITY_KEY_ID, b"\x31\x00"),
    "authority key id: issuer and serial": with_extension(
        AUTHORITY_KEY_ID,
        sequence(
            implicit(0, b"k"),
            explicit(1, explicit(4, sequence(rdn(attribute(COMMON_NAME, b"x"))))),
            implicit(2, b"\x05"),
        ),
    ),
    "authority key id: only serial": with_extension(AUTHORITY_KEY_ID, sequence(implicit(2, b"\x05"))),
    "subject key id: empty": with_extension(SUBJECT_KEY_ID, octets(b"")),
    "subject key id: critical": with_extension(SUBJECT_KEY_ID, octets(b"k"), True),
    "subject key id: garbage": with_extension(SUBJECT_KEY_ID, b"\x05\x00"),
    "subject key id: trailing": with_extension(SUBJECT_KEY_ID, octets(b"k") + NULL),
    "policies": with_extension(POLICIES, sequence(sequence(oid(UNKNOWN))), True),
    "policies: twice the same": with_extension(
        POLICIES, sequence(sequence(oid(UNKNOWN)), sequence(oid(UNKNOWN)))
    ),
    "policies: garbage": with_extension(POLICIES, b"\x30\x02\x06\x01"),
    "policies: none": with_extension(POLICIES, sequence()),
    "policy constraints": with_extension(_POLICY_CONSTRAINTS, sequence(implicit(0, b"\x00")), True),
    "policy mappings": with_extension(
        _POLICY_MAPPINGS, sequence(sequence(oid("1.2.3.4"), oid("1.2.3.5"))), True
    ),
    "inhibit any policy": with_extension(_INHIBIT, integer(0), True),
    "inhibit any policy: garbage": with_extension(_INHIBIT, b"\x04\x00"),
    "issuer's names": with_extension(_ISSUER_ALTERNATIVE, general_names(implicit(DNS, b"x"))),
    "issuer's names, critical": with_extension(_ISSUER_ALTERNATIVE, general_names(implicit(DNS, b"x")), True),
    "CRL points": with_extension(
        _CRL_POINTS, sequence(sequence(explicit(0, explicit(0, implicit(URI, b"http://x/crl"))))), True
    ),
    "CRL points: garbage": with_extension(_CRL_POINTS, b"\x30\x03\x30\x05\xa0"),
    "freshest CRL, critical": with_extension(_FRESHEST, sequence(), True),
    "authority information": with_extension(
        _AIA, sequence(sequence(oid("1.3.6.1.5.5.7.48.1"), implicit(URI, b"http://x")))
    ),
    "authority information, critical": with_extension(_AIA, sequence(), True),
    "authority information: garbage": with_extension(_AIA, b"\x04\x00"),
}

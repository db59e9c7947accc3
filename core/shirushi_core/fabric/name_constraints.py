"""Alternative names of certificates, and the constraints that a CA's certificate puts on those below it, as Go judges them.

Source: Go 1.26 crypto/x509/{parser,verify,constraints}.go (RFC 5280, 4.2.1.6 and 4.2.1.10).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from shirushi_core.fabric.der import SEQUENCE, DerError, Reader, context

EMAIL, DNS, URI, IP = 0x81, 0x82, 0x86, 0x87
_LABEL = re.compile(r"[\x21-\x7e]+")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*")


@dataclass(frozen=True, slots=True)
class AlternativeNames:
    """A subjectAltName's names of the kinds that are constrained, by tag."""

    found: tuple[tuple[int, bytes], ...]

    @property
    def any(self) -> bool:
        """Whether there is one of a kind that Go reads."""
        return bool(self.found)


@dataclass(frozen=True, slots=True)
class NameConstraints:
    """Names that may, and may not, stand below a CA, by tag; `unhandled` if there are kinds that Go does not read."""

    permitted: tuple[tuple[int, bytes], ...]
    excluded: tuple[tuple[int, bytes], ...]
    unhandled: bool

    def allow(self, names: AlternativeNames) -> bool:
        """Say whether every name may stand below."""
        for kind, name in names.found:
            if any(tag == kind and _matches(kind, name, each) for tag, each in self.excluded):
                return False
            wanted = [each for tag, each in self.permitted if tag == kind]
            if wanted and not any(_matches(kind, name, each) for each in wanted):
                return False
        return True


def read_names(data: bytes) -> AlternativeNames:
    """Read a subjectAltName; raises DerError."""
    reader = Reader(data).inner(SEQUENCE)
    found = []
    while not reader.empty:
        tag, content, _ = reader.any_element()
        if tag in (EMAIL, DNS, URI):
            text = _ascii(content)
            if tag == URI:
                _check_uri(text)
        elif tag == IP and len(content) not in (4, 16):
            raise DerError(f"cannot parse IP address of length {len(content)}")
        if tag in (EMAIL, DNS, URI, IP):
            found.append((tag, content))
    return AlternativeNames(tuple(found))


def read_constraints(data: bytes) -> NameConstraints:
    """Read a nameConstraints extension; raises DerError."""
    value = Reader(data)
    outer = value.inner(SEQUENCE)
    permitted, excluded = outer.optional(context(0)), outer.optional(context(1))
    if not value.empty or not outer.empty:
        raise DerError("invalid NameConstraints extension")
    if not permitted and not excluded:
        raise DerError("empty name constraints extension")
    kinds = [list(_subtrees(part or b"")) for part in (permitted, excluded)]
    known = [tuple((tag, each) for tag, each in part if tag in (EMAIL, DNS, URI, IP)) for part in kinds]
    return NameConstraints(known[0], known[1], sum(map(len, kinds)) > sum(map(len, known)))


def is_host(name: str) -> bool:
    """Say whether a common name looks like a host's (msp/mspimpl.go, validHostname)."""
    name = name.removesuffix(".")
    labels = name.split(".")
    return bool(name) and all(
        (position == 0 and label == "*") or re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9_:\-]*", label)
        for position, label in enumerate(labels)
    )


def _subtrees(data: bytes) -> Iterator[tuple[int, bytes]]:
    reader = Reader(data)
    while not reader.empty:
        tag, content, _ = reader.inner(SEQUENCE).any_element()
        if tag == IP:
            _check_mask(content)
        elif tag == EMAIL and b"@" in content:
            if _mailbox(_ascii(content)) is None:
                raise DerError(f"cannot parse rfc822Name constraint {content[:64]!r}")
        elif tag in (EMAIL, DNS, URI):
            text = _ascii(content)
            if (tag == URI and _is_address(text)) or _labels(text.removeprefix(".")) is None:
                raise DerError(f"failed to parse constraint {text[:64]!r}")
        yield tag, content


def _check_mask(content: bytes) -> None:
    if len(content) not in (8, 32):
        raise DerError(f"IP constraint contained value of length {len(content)}")
    mask = content[len(content) // 2 :]
    bits = "".join(f"{byte:08b}" for byte in mask)
    if "01" in bits:
        raise DerError(f"IP constraint contained invalid mask {mask.hex()}")


def _matches(kind: int, name: bytes, constraint: bytes) -> bool:
    """Say whether a name stands below a constraint; one that cannot be read does (which is never in its favour)."""
    if kind == IP:
        half = len(constraint) // 2
        return len(name) == half and all(
            (one ^ base) & mask == 0
            for one, base, mask in zip(name, constraint[:half], constraint[half:], strict=True)
        )
    text, wanted = name.decode("ascii"), constraint.decode("ascii")
    if kind == DNS:
        return _below(text, wanted)
    if kind == URI:
        host = urlsplit(text).hostname or ""
        return bool(host) and not _is_address(host) and _below_host(host, wanted)
    mailbox = _mailbox(text)
    if mailbox is None:
        return False
    if "@" in wanted:
        other = _mailbox(wanted)
        return other is not None and mailbox[0] == other[0] and mailbox[1].lower() == other[1].lower()
    return _below_host(mailbox[1], wanted)


def _below_host(host: str, constraint: str) -> bool:
    """Say whether a host is the constraint's, or below it if that begins with a dot."""
    if constraint.startswith("."):
        return _below(host, constraint)
    return not constraint or host.lower() == constraint.lower()


def _below(name: str, constraint: str) -> bool:
    if not constraint:
        return True
    own, wanted = _labels(name), _labels(constraint.removeprefix("."))
    if own is None or wanted is None:
        return True
    more = len(own) > len(wanted) if constraint.startswith(".") else len(own) >= len(wanted)
    return more and own[: len(wanted)] == wanted


def _labels(domain: str) -> list[str] | None:
    """Return a domain's labels, the last first, in lower case; None if it is no domain (domainToReverseLabels)."""
    if not domain:
        return []
    labels = domain.split(".")[::-1]
    if not all(_LABEL.fullmatch(label) for label in labels):
        return None
    return [label.lower() for label in labels]


def _mailbox(text: str) -> tuple[str, str] | None:
    local, at, domain = text.rpartition("@")
    if not at or not local or not re.fullmatch(r"[!-~]+", local) or not domain or _labels(domain) is None:
        return None
    return local, domain


def _check_uri(text: str) -> None:
    """Refuse what Go's url.Parse refuses, as far as it is of consequence."""
    scheme, colon, rest = text.partition(":")
    head = scheme.split("/")[0].split("?")[0].split("#")[0]
    if _CONTROL.search(text) or (colon and head == scheme and not _SCHEME.fullmatch(scheme)):
        raise DerError("cannot parse URI")
    part = rest if colon and head == scheme else text
    path, _, fragment = part.partition("#")
    if _BAD_ESCAPE.search(path.partition("?")[0]) or _BAD_ESCAPE.search(fragment):
        raise DerError("cannot parse URI: invalid URL escape")
    if part.startswith("//"):
        _check_authority(re.split(r"[/?#]", part[2:], maxsplit=1)[0])


def _check_authority(authority: str) -> None:
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        if "]" not in host:
            raise DerError("cannot parse URI: missing ']' in host")
        return
    name, colon, port = host.partition(":")
    if (colon and not port.isdecimal() and port) or re.search(r'[ <>"\\^`{|}]', name):
        raise DerError("cannot parse URI: invalid host")
    if host and _labels(host) is None:
        raise DerError("cannot parse URI: invalid domain")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _ascii(content: bytes) -> str:
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise DerError("expected ASCII in a name") from None

"""The connection file: who the members of a consortium are and where their peers answer.

`consortium.json` (docs/formats/connection.md) is a client's root of trust in this version: its channel, its members,
their TLS roots and the quorum are what the verifier believes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.proofs import fields
from shirushi_core.proofs.canonical import Json, decode
from shirushi_core.proofs.names import MAX_URL, check_https, check_name

FORMAT = "shirushi/connection/v1"
FILE_NAME = "consortium.json"
MAX_MEMBERS = 64

_FIELDS = frozenset({"channel", "format", "members", "quorum"})
_MEMBER_FIELDS = frozenset({"id", "msp_id", "name", "peer", "tls_name", "tls_root"})
_WITNESS_FIELDS = frozenset({"tls_root", "url"})
_NAME_FIELDS = frozenset({"en", "ja"})


class NoConsortiumError(ShirushiError):
    """There is no connection file where one was looked for."""


class ConnectionFileError(ShirushiError):
    """A connection file, or a file it names, that cannot be read or understood."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a member's witness answers, and the PEM file of the root its TLS certificate comes from."""

    url: str
    tls_root: Path


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the consortium, its peer, and its witness if it runs one.

    peer: "host:port"; tls_root: PEM file of the root its TLS certificate comes from; tls_name: the name in that
    certificate where it is not the host.
    """

    id: str
    msp_id: str
    name_ja: str
    name_en: str
    peer: str
    tls_root: Path
    tls_name: str | None = None
    witness: Witness | None = None


@dataclass(frozen=True, slots=True)
class Consortium:
    """A ledger's channel, its members, and how many of them have to agree."""

    channel: str
    quorum: int
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        fields.check_ledger(self.channel, "connection file: channel")
        count = len(self.members)
        if not count // 2 < self.quorum <= count:
            # Two answers that contradict each other must never both have a quorum.
            raise InvalidInputError(
                f"connection file: quorum: expected more than half of the {count} members, found {self.quorum}"
            )
        for what in ("id", "msp_id", "peer"):
            if len({getattr(member, what) for member in self.members}) != count:
                raise InvalidInputError(
                    f"connection file: members: expected each {what} once, found one again"
                )

    def member(self, member_id: str) -> Member:
        """Return one member; raises ConnectionFileError if it is none."""
        for member in self.members:
            if member.id == member_id:
                return member
        known = ", ".join(member.id for member in self.members)
        raise ConnectionFileError(f"{member_id} is no member of this consortium; its members are {known}")


def load_consortium(data: Path) -> Consortium:
    """Read the connection file of a data folder; raises NoConsortiumError or ConnectionFileError."""
    path = data / FILE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NoConsortiumError(
            f"no consortium at {data}: run `shirushi consortium up`, or name its folder with --data"
        ) from None
    except OSError as error:
        raise ConnectionFileError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return parse_consortium(content, data)
    except InvalidInputError as error:
        raise ConnectionFileError(f"{path}: {error}") from error


def parse_consortium(content: bytes, folder: Path) -> Consortium:
    """Parse a connection file whose relative paths are relative to `folder`; raises InvalidInputError."""
    members = fields.an_object(decode(content), "connection file", _FIELDS, others=True)
    fields.a_constant(members["format"], "connection file: format", FORMAT)
    return Consortium(
        channel=fields.a_text(members["channel"], "connection file: channel"),
        quorum=fields.an_integer(members["quorum"], "connection file: quorum"),
        members=tuple(
            _member(fields.an_object(member, "connection file: member", _MEMBER_FIELDS, others=True), folder)
            for member in fields.an_array(members["members"], "connection file: members", 1, MAX_MEMBERS)
        ),
    )


def _member(value: Mapping[str, Json], folder: Path) -> Member:
    name = fields.an_object(value["name"], "connection file: member: name", _NAME_FIELDS)
    tls_name = value["tls_name"]
    return Member(
        id=fields.check_identifier(
            fields.a_text(value["id"], "connection file: member: id"), "connection file: member: id"
        ),
        msp_id=fields.check_msp_id(
            fields.a_text(value["msp_id"], "connection file: member: msp_id"),
            "connection file: member: msp_id",
        ),
        name_ja=_name(name["ja"], "name.ja"),
        name_en=_name(name["en"], "name.en"),
        peer=fields.a_text(value["peer"], "connection file: member: peer"),
        tls_root=folder / fields.a_text(value["tls_root"], "connection file: member: tls_root", high=1024),
        tls_name=None if tls_name is None else fields.a_text(tls_name, "connection file: member: tls_name"),
        witness=None if value.get("witness") is None else _witness(value["witness"], folder),
    )


def _name(value: Json, what: str) -> str:
    where = f"connection file: member: {what}"
    return check_name(fields.a_text(value, where), where)


def _witness(value: Json, folder: Path) -> Witness:
    where = "connection file: member: witness"
    members = fields.an_object(value, where, _WITNESS_FIELDS, others=True)
    url = check_https(fields.a_text(members["url"], f"{where}: url", high=MAX_URL), f"{where}: url")
    return Witness(url, folder / fields.a_text(members["tls_root"], f"{where}: tls_root", high=1024))

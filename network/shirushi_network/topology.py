"""The consortium as data: its channel, its members, where their nodes listen, and what they agreed to run.

Everything else is rendered from it: genesis block, node configurations, compose file, connection files, monitoring
targets. Its file form is in topology_file.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.bft_parameters import BftParameters
from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_core.fabric.policy_text import parse_policy_text
from shirushi_core.proofs.issuer import check_document_types

DEFAULT_CHANNEL = "shirushi-test"
DEFAULT_PORT = 17050
PORTS_USED = 8
"""Ports a member's nodes listen on, in the order of `member_on`."""

DEFAULT_DOCUMENT_TYPES = ("income-certificate", "residence", "tax-notice")
"""What the city of the pilot issues; also what the first issuer may issue where a topology file does not say."""

NEW_VERSION = "2.0"
"""The version of the anchors chaincode on new ledgers; its first number is that of the rules by which logs are derived."""

MAJORITY = "majority"
MAX_MEMBERS = 64

DEFAULT_BLOCKS = BatchParameters(
    max_message_count=500, absolute_max_bytes=10 << 20, preferred_max_bytes=2 << 20, timeout_seconds=0.2
)

_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_MSP_ID = re.compile(r"[A-Za-z][A-Za-z0-9.-]{0,63}")
_CHANNEL = re.compile(r"[a-z][a-z0-9.-]{0,248}")
_VERSION = re.compile(r"[1-9][0-9]{0,5}([.+_-][A-Za-z0-9]+)*")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*")
_MAX_NAME = 200
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+")


@dataclass(frozen=True, slots=True)
class _Node:
    """Where others reach a node, and the port of its health and metrics on its own machine."""

    host: str
    port: int
    operations_port: int

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PeerNode(_Node):
    """A member's peer."""


@dataclass(frozen=True, slots=True)
class OrdererNode(_Node):
    """A member's orderer; `admin_port` is channel participation, on its own machine like `operations_port`."""

    admin_port: int


@dataclass(frozen=True, slots=True)
class ChaincodeNode(_Node):
    """A member's chaincode service, which its own peer dials."""


@dataclass(frozen=True, slots=True)
class WitnessNode:
    """A member's witness: HTTPS for everybody, health and metrics included."""

    host: str
    port: int

    @property
    def address(self) -> str:
        """host:port."""
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where its HTTP interface begins."""
        return f"https://{self.address}"


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its names, its MSP, and the nodes it runs.

    Without an orderer it only endorses and keeps the ledger; without a witness it confirms nothing to verifiers.
    """

    id: str
    msp_id: str
    name_ja: str
    name_en: str
    peer: PeerNode
    orderer: OrdererNode | None
    chaincode: ChaincodeNode
    witness: WitnessNode | None = None

    def __post_init__(self) -> None:
        check_text(self.id, _ID, "member id", "a lower-case letter, then letters, digits and dashes")
        check_text(self.msp_id, _MSP_ID, f"MSP id of {self.id}", "letters, digits, dots and dashes")
        for name in (self.name_ja, self.name_en):
            if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
                raise InvalidInputError(
                    f"name of {self.id}: expected 1 to {_MAX_NAME} printable characters, found {name!r}"
                )
        for _, host, port in self.listeners():
            if not _is_host(host):
                raise InvalidInputError(
                    f"host of {self.id}: expected a host name or an IPv4 address, found {host!r}"
                )
            if type(port) is not int or not 1 <= port <= 65535:
                raise InvalidInputError(f"port of {self.id}: expected 1 to 65535, found {port!r}")

    def listeners(self) -> list[tuple[str, str, int]]:
        """Return (what it is, host, port) of everything this member's nodes listen on."""
        found = [
            ("peer", self.peer.host, self.peer.port),
            ("peer's operations endpoint", self.peer.host, self.peer.operations_port),
            ("chaincode service", self.chaincode.host, self.chaincode.port),
            ("chaincode service's operations endpoint", self.chaincode.host, self.chaincode.operations_port),
        ]
        if self.orderer is not None:
            found += [
                ("orderer", self.orderer.host, self.orderer.port),
                ("orderer's admin endpoint", self.orderer.host, self.orderer.admin_port),
                ("orderer's operations endpoint", self.orderer.host, self.orderer.operations_port),
            ]
        if self.witness is not None:
            found.append(("witness", self.witness.host, self.witness.port))
        return found


@dataclass(frozen=True, slots=True)
class FirstIssuer:
    """The issuer that is registered when the consortium starts: its id, its member, the document types it may issue.

    Document types are sorted, each once, as in an issuer's record.
    """

    id: str = "iizuka-city"
    member: str = "iizuka"
    document_types: tuple[str, ...] = DEFAULT_DOCUMENT_TYPES

    def __post_init__(self) -> None:
        if not self.document_types:
            raise InvalidInputError("issuer: document_types: expected at least one")
        check_document_types(self.document_types, "issuer: document_types")


@dataclass(frozen=True, slots=True)
class AnchorsDefinition:
    """The definition of the anchors chaincode; `endorsement` is "majority" or a signature policy as text."""

    version: str = "1.0"
    sequence: int = 1
    endorsement: str = MAJORITY

    def __post_init__(self) -> None:
        check_text(
            self.version, _VERSION, "anchors: version", "a number, then letters and digits, joined by . + - _"
        )
        if type(self.sequence) is not int or not 1 <= self.sequence < 1 << 31:
            raise InvalidInputError(f"anchors: sequence: expected 1 or more, found {self.sequence!r}")
        if self.endorsement != MAJORITY:
            try:
                parse_policy_text(self.endorsement)
            except InvalidInputError as error:
                raise InvalidInputError(
                    f'anchors: endorsement: expected "{MAJORITY}" or a signature policy: {error}'
                ) from None


@dataclass(frozen=True, slots=True)
class Topology:
    """A consortium: its channel, its members in order, how many of them must agree, and what they run."""

    channel: str
    members: tuple[Member, ...]
    quorum: int
    issuer: FirstIssuer = field(default_factory=FirstIssuer)
    blocks: BatchParameters = DEFAULT_BLOCKS
    bft: BftParameters = field(default_factory=BftParameters)
    anchors: AnchorsDefinition = field(default_factory=AnchorsDefinition)

    def __post_init__(self) -> None:
        check_text(
            self.channel, _CHANNEL, "channel", "a lower-case letter, then letters, digits, dots and dashes"
        )
        check_text(self.issuer.id, _ID, "issuer", "a lower-case letter, then letters, digits and dashes")
        if not 1 <= len(self.members) <= MAX_MEMBERS:
            raise InvalidInputError(f"members: expected 1 to {MAX_MEMBERS}, found {len(self.members)}")
        if type(self.quorum) is not int or not 1 <= self.quorum <= len(self.members):
            raise InvalidInputError(f"quorum: expected 1 to {len(self.members)}, found {self.quorum!r}")
        _check_distinct("id", [member.id for member in self.members])
        _check_distinct("MSP id", [member.msp_id for member in self.members])
        _check_distinct(
            "address", [f"{host}:{port}" for m in self.members for _, host, port in m.listeners()]
        )
        self.member(self.issuer.member)
        if not any(member.orderer for member in self.members):
            raise InvalidInputError("members: expected at least one with an orderer")

    def issuing(self, *document_types: str) -> Topology:
        """Return the same consortium, whose first issuer may issue these document types too."""
        types = tuple(sorted({*self.issuer.document_types, *document_types}))
        return replace(self, issuer=replace(self.issuer, document_types=types))

    def member(self, member_id: str) -> Member:
        """Return one member; raises InvalidInputError naming those there are."""
        for member in self.members:
            if member.id == member_id:
                return member
        known = ", ".join(member.id for member in self.members)
        raise InvalidInputError(f"no member {member_id!r}; the members are {known}")

    @property
    def majority(self) -> int:
        """How many members' approvals a change takes."""
        return len(self.members) // 2 + 1


def member_on(
    member_id: str, msp_id: str, name_ja: str, name_en: str, host: str, ports: Sequence[int]
) -> Member:
    """Return a member all of whose nodes are on one host, on eight ports.

    In this order: peer, orderer, peer operations, orderer admin, orderer operations, chaincode, chaincode operations,
    witness.
    """
    peer, orderer, peer_operations, admin, orderer_operations, chaincode, chaincode_operations, witness = (
        ports
    )
    return Member(
        member_id,
        msp_id,
        name_ja,
        name_en,
        peer=PeerNode(host, peer, peer_operations),
        orderer=OrdererNode(host, orderer, orderer_operations, admin),
        chaincode=ChaincodeNode(host, chaincode, chaincode_operations),
        witness=WitnessNode(host, witness),
    )


def default_topology() -> Topology:
    """Return the five members of the test network on this machine, any three of whom are a quorum."""
    names = [
        ("iizuka", "IizukaMSP", "飯塚市", "Iizuka City"),
        ("chaintope", "ChaintopeMSP", "chaintope", "chaintope"),
        ("haw", "HawMSP", "株式会社ハウインターナショナル", "Haw International"),
        ("kaguya", "KaguyaMSP", "Kaguya", "Kaguya"),
        ("gcom", "GcomMSP", "Gcomホールディングス", "Gcom Holdings"),
    ]
    members = tuple(
        member_on(
            *each, "127.0.0.1", range(DEFAULT_PORT + 10 * number, DEFAULT_PORT + 10 * number + PORTS_USED)
        )
        for number, each in enumerate(names)
    )
    return Topology(DEFAULT_CHANNEL, members, quorum=3, anchors=AnchorsDefinition(version=NEW_VERSION))


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine, whoever says so."""
    return _LOOPBACK.fullmatch(host) is not None


def listen_host(host: str) -> str:
    """Return what a node listens on: this machine only where it is known by a loopback address, else every interface."""
    return host if is_loopback(host) else "0.0.0.0"  # noqa: S104 - others have to reach it


def check_text(value: object, pattern: re.Pattern[str], what: str, expected: str) -> None:
    """Raise InvalidInputError unless a value is text that matches."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidInputError(f"{what}: expected {expected}, found {value!r}")


def _check_distinct(what: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise InvalidInputError(f"two members have the same {what} {value}")


def _is_host(host: object) -> bool:
    """Fabric joins host and port with a colon, so IPv6 addresses need a name."""
    return isinstance(host, str) and len(host) <= 253 and _HOST_NAME.fullmatch(host) is not None

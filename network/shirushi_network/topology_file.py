"""topology.toml: the consortium for people to read and edit.

Strict both ways: unknown, missing or repeated fields are refused, naming where. Only [blocks], [bft], [anchors],
the issuer's `document_types`, `orderer` and `witness` may be left out: a member without an orderer endorses and keeps
the ledger, and orders nothing; one without a witness confirms nothing to verifiers.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.bft_parameters import BftParameters
from shirushi_core.fabric.channel_config import BatchParameters
from shirushi_network.files import write_atomically
from shirushi_network.topology import (
    DEFAULT_BLOCKS,
    DEFAULT_DOCUMENT_TYPES,
    AnchorsDefinition,
    ChaincodeNode,
    FirstIssuer,
    Member,
    OrdererNode,
    PeerNode,
    Topology,
    WitnessNode,
)

MAX_FILE_BYTES = 256 * 1024

_Value = TypeVar("_Value")

_HEAD = """\
# A Shirushi consortium: who its members are, where their nodes listen, and what they agreed to run. Everything else is
# rendered from this file. Hosts are names or IPv4 addresses that all members reach; operations and admin ports are
# opened on 127.0.0.1 of the node's own machine only.
"""
_BLOCKS_HEAD = "# How orderers cut blocks. wait: seconds until a block that is not full is cut."
_BFT_HEAD = "# How long orderers wait for each other, in seconds."
_ANCHORS_HEAD = """\
# The anchors chaincode as the members approve it; a new version or policy takes the next sequence.
# The number that version begins with is that of the rules by which logs are derived: witnesses have to know it before it is committed.
# endorsement: "majority" of the members, or a policy such as "OutOf(3, 'IizukaMSP.peer', 'HawMSP.peer', 'GcomMSP.peer')"."""
_MEMBERS_HEAD = "# The members, in the order of their orderers' consenter ids."


def read_topology(path: Path) -> Topology:
    """Read a topology file; raises InvalidInputError naming the file."""
    try:
        with path.open("rb") as file:
            return parse_topology(file.read(MAX_FILE_BYTES + 1))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read: {error.strerror}") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def write_topology(path: Path, topology: Topology) -> None:
    """Write a topology file whole or not at all."""
    write_atomically(path, render_topology(topology))


def parse_topology(data: bytes) -> Topology:
    """Parse strictly; raises InvalidInputError."""
    if len(data) > MAX_FILE_BYTES:
        raise InvalidInputError(f"a topology has at most {MAX_FILE_BYTES} bytes")
    try:
        value = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"not TOML: {error}") from None
    needed, optional = {"channel", "quorum", "issuer", "members"}, {"blocks", "bft", "anchors"}
    _check_fields(value, needed, optional, "topology")
    if not isinstance(value["members"], list):
        raise InvalidInputError("members: expected [[members]] tables")
    return Topology(
        channel=value["channel"],
        quorum=value["quorum"],
        issuer=_issuer(value["issuer"]),
        blocks=_blocks(value["blocks"]) if "blocks" in value else DEFAULT_BLOCKS,
        bft=_built(BftParameters, value.get("bft", asdict(BftParameters())), "bft"),
        anchors=_built(AnchorsDefinition, value.get("anchors", asdict(AnchorsDefinition())), "anchors"),
        members=tuple(parse_member(each) for each in value["members"]),
    )


def render_topology(topology: Topology) -> bytes:
    """Return the TOML form, with a word on each part; reading it gives the same topology."""
    blocks = topology.blocks
    cut = {
        "max_messages": blocks.max_message_count,
        "max_bytes": blocks.absolute_max_bytes,
        "preferred_bytes": blocks.preferred_max_bytes,
        "wait": blocks.timeout_seconds,
    }
    head = {"channel": topology.channel, "quorum": topology.quorum, "issuer": asdict(topology.issuer)}
    parts = [
        _HEAD,
        _lines(head),
        f"\n{_BLOCKS_HEAD}\n[blocks]\n{_lines(cut)}",
        f"\n{_BFT_HEAD}\n[bft]\n{_lines(asdict(topology.bft))}",
        f"\n{_ANCHORS_HEAD}\n[anchors]\n{_lines(asdict(topology.anchors))}",
        f"\n{_MEMBERS_HEAD}\n",
        "\n".join(f"[[members]]\n{_lines(member_to_json(member))}" for member in topology.members),
    ]
    return "".join(parts).encode()


def parse_member(value: object) -> Member:
    """Read one member's table; raises InvalidInputError."""
    optional = {"orderer", "witness"}
    table = _check_fields(value, {field.name for field in fields(Member)} - optional, optional, "member")
    name = table["id"]
    return Member(
        id=name,
        msp_id=table["msp_id"],
        name_ja=table["name_ja"],
        name_en=table["name_en"],
        peer=_built(PeerNode, table["peer"], f"peer of {name}"),
        orderer=_built(OrdererNode, table["orderer"], f"orderer of {name}") if table.get("orderer") else None,
        chaincode=_built(ChaincodeNode, table["chaincode"], f"chaincode of {name}"),
        witness=_built(WitnessNode, table["witness"], f"witness of {name}") if table.get("witness") else None,
    )


def member_to_json(member: Member) -> dict[str, Any]:
    """Return one member's table; without `orderer` or `witness` if it runs none."""
    return {key: value for key, value in asdict(member).items() if value is not None}


def _issuer(value: object) -> FirstIssuer:
    table = _check_fields(value, {"id", "member"}, {"document_types"}, "issuer")
    types = table.get("document_types", list(DEFAULT_DOCUMENT_TYPES))
    if not isinstance(types, list) or not all(isinstance(each, str) for each in types):
        raise InvalidInputError("issuer: document_types: expected an array of strings")
    return FirstIssuer(table["id"], table["member"], tuple(types))


def _blocks(value: object) -> BatchParameters:
    names = ("max_messages", "max_bytes", "preferred_bytes", "wait")
    table = _check_fields(value, set(names), set(), "blocks")
    for name in names[:3]:
        if type(table[name]) is not int or not 1 <= table[name] < 1 << 31:
            raise InvalidInputError(f"blocks: {name}: expected a positive integer, found {table[name]!r}")
    if table["preferred_bytes"] > table["max_bytes"]:
        raise InvalidInputError("blocks: expected preferred_bytes of at most max_bytes")
    wait = table["wait"]
    if isinstance(wait, bool) or not isinstance(wait, int | float) or not 0.001 <= wait <= 3600:
        raise InvalidInputError(f"blocks: wait: expected 0.001 to 3600 seconds, found {wait!r}")
    return BatchParameters(*(table[name] for name in names))


def _built(kind: type[_Value], value: object, what: str) -> _Value:
    table = _check_fields(value, {field.name for field in fields(kind)}, set(), what)  # type: ignore[arg-type]
    return kind(**table)


def _check_fields(value: object, needed: set[str], optional: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not needed <= set(value) <= needed | optional:
        found = ", ".join(sorted(value)) if isinstance(value, dict) else type(value).__name__
        raise InvalidInputError(f"{what}: expected {', '.join(sorted(needed))}; found {found}")
    return value


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_written(value)}\n" for key, value in table.items())


def _written(value: Any) -> str:
    """Write a value as TOML does, which for texts without DEL and for numbers is as JSON does."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_written(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)

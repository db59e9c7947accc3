"""How witnesses are, as `shirushi consortium status` shows it: those of this process, and any others over HTTPS."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp

from shirushi_network.errors import ConsortiumError
from shirushi_network.topology import Member, WitnessNode
from shirushi_node.witness.settings import WitnessStatus

SECONDS = 5.0
"""How long a witness may take to say how it is."""

_MAX_BYTES = 64 * 1024


class WitnessSilentError(ConsortiumError):
    """A witness that does not answer, or not as witnesses do."""


def shown(node: WitnessNode, status: WitnessStatus) -> dict[str, Any]:
    """Return address, running, size, block, lag, last_cosigned, refusing, disagreeing, ticking, alarms.

    `size` counts log entries, `block` blocks, `lag` the blocks that its peer has and it has not (None: not known);
    `last_cosigned` is unix seconds, `refusing` why it signs nothing now.
    """
    lag = None if status.peer_height is None else max(status.peer_height - status.block, 0)
    return {
        "address": node.address,
        "running": status.running,
        "size": status.size,
        "block": status.block,
        "lag": lag,
        "last_cosigned": status.last_cosigned,
        "refusing": status.refusing,
        "disagreeing": list(status.disagreeing),
        "ticking": status.ticking,
        "alarms": dict(status.alarms),
    }


def witness_problems(found: Mapping[str, Any]) -> list[str]:
    """Say in sentences what is wrong with a witness, as `shown` has it."""
    said = [f"its witness signs nothing now: {found['refusing']}"] if found["refusing"] else []
    if found["disagreeing"]:
        others = ", ".join(found["disagreeing"])
        said.append(f"its witness has a log that contradicts what {others} signed")
    if found["ticking"]:
        said.append(f"its witness cannot keep the ledger's time going: {found['ticking']}")
    if found["alarms"]:
        kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(found["alarms"].items()))
        said.append(
            f"its witness noticed something about its peer's blocks: {kinds}; alarms.json in its folder has more"
        )
    return said


async def ask_witness(member: Member, node: WitnessNode, tls_roots: bytes) -> dict[str, Any]:
    """Ask a member's witness how it is, and return it as `shown` does; raises WitnessSilentError."""
    whose = f"the witness of {member.name_en} ({node.address})"
    try:
        context = ssl.create_default_context(cadata=tls_roots.decode())
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
            session.get(f"{node.url}/health", ssl=context, allow_redirects=False) as answer,
        ):
            data = await answer.content.read(_MAX_BYTES)
    except TimeoutError:
        raise WitnessSilentError(f"{whose} does not answer within {SECONDS:.0f} s") from None
    except aiohttp.ClientConnectorError as error:
        reason = error.os_error.strerror or str(error.os_error)
        raise WitnessSilentError(f"{whose} does not answer: {reason}") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise WitnessSilentError(f"{whose} does not answer: {error}") from error
    try:
        return shown(node, _status(json.loads(data)))
    except (ValueError, KeyError, TypeError):
        raise WitnessSilentError(f"{whose} does not answer as a witness does") from None


def _status(health: Mapping[str, Any]) -> WitnessStatus:
    """Read a witness's health; raises KeyError, TypeError, ValueError for another object."""
    numbers = (health["size"], health["block"])
    maybe = (health["peer_height"], health["last_cosigned"])
    refusing, disagreeing = health["refusing"], health["disagreeing"]
    alarms, ticking = health.get("alarms", {}), health.get("ticking")
    if not (
        all(type(each) is int for each in numbers)
        and all(each is None or type(each) is int for each in maybe)
        and (refusing is None or isinstance(refusing, str))
        and isinstance(disagreeing, list)
        and all(isinstance(each, str) for each in disagreeing)
        and isinstance(alarms, dict)
        and all(type(each) is int for each in alarms.values())
        and (ticking is None or isinstance(ticking, str))
    ):
        raise TypeError
    return WitnessStatus(True, *numbers, *maybe, refusing, tuple(disagreeing), ticking=ticking, alarms=alarms)

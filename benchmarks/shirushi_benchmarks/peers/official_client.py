"""The official Node Gateway client beside ours: the same transactions to the same endpoint as the same identity.

Each runs in a process of its own, which is given a file of requests and measures itself: in_flight of them under way, each
endorsed, ordered, and its commit status awaited. The first in_flight requests of a process open the connection and warm it
up, and are not counted. The two take turns (ours, theirs, ours, theirs), each time with batches that nobody has sent before;
times, CPU seconds and failures are summed over the turns.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shirushi_benchmarks.measurement import Measurement, quantiles_ms
from shirushi_benchmarks.peers.node_packages import node_program
from shirushi_benchmarks.peers.programs import measured_program
from shirushi_client.member_contract import CHAINCODE, COMMIT_SECONDS, ENDORSE_SECONDS, SUBMIT_SECONDS
from shirushi_client.session import ISSUER, Session, open_session
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.seal import make_seal

OURS = "our Gateway client"
THEIRS = "official Node client"

SOURCE = Path(__file__).parent / "node_client"
TURNS = 2
PATIENCE = 300.0
"""Seconds that one turn may take beside those that its transactions should: the slowest engine does more than ten a second."""


@dataclass(frozen=True, slots=True)
class _Turn:
    seconds: float
    cpu_seconds: float
    durations: Sequence[float]
    failures: int


async def measure_gateway_clients(
    data: Path,
    *,
    engine: str,
    count: int,
    in_flight: int,
    advance: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Measurement]:
    """Send about `count` transactions with each client to the issuer's own member; returns ours, then theirs.

    Raises CannotMeasureError where Node.js or the client's packages are missing, MeasuringError.
    """
    program = node_program(SOURCE, f"the {THEIRS}")
    commands: dict[str, Sequence[str | Path]] = {
        OURS: (sys.executable, "-m", "shirushi_benchmarks.peers.gateway_client"),
        THEIRS: ("node", program / "load.mjs"),
    }
    turns: dict[str, list[_Turn]] = {OURS: [], THEIRS: []}
    async with open_session(data, ISSUER) as session:
        with tempfile.TemporaryDirectory(prefix="shirushi-bench-") as folder:
            config = Path(folder) / "config.json"
            for number in range(TURNS):
                for name, command in commands.items():
                    advance(name, number, TURNS)
                    share = max(1, count // TURNS)
                    _write_turn(session, config, share, in_flight)
                    answer = await measured_program(
                        [*command, config], name, folder=program, seconds=PATIENCE + share / 10
                    )
                    turns[name].append(_turn(answer))
                    problem = f", the first failure: {answer['first_failure']}" if answer["failures"] else ""
                    advance(f"{name}{problem}", number + 1, TURNS)
    parameters = {"in_flight": in_flight, "turns": TURNS}
    return [_measurement(name, engine, turns[name], parameters) for name in (OURS, THEIRS)]


def issue_requests(session: Session, count: int) -> Iterable[bytes]:
    """Make the arguments of `issue` for batches of one certificate each, sealed by the session's issuer."""
    key, issuer = session.profile.load_seal_key(), session.profile.issuer_id()
    now = int(time.time())
    for _ in range(count):
        statement = BatchStatement(session.consortium.channel, issuer, "benchmark", os.urandom(32), 1, now)
        yield encode({"seal": make_seal(statement, key).to_json(), "statement": statement.to_json()})


def _write_turn(session: Session, config: Path, count: int, in_flight: int) -> None:
    """Write what one process is told, and beside it its requests, a JSON text a line."""
    profile, member = session.profile, session.members[0].member
    requests = config.with_name("requests.jsonl")
    requests.write_bytes(b"".join(each + b"\n" for each in issue_requests(session, in_flight + count)))
    told: dict[str, Any] = {
        "certificate": str(profile.certificate.absolute()),
        "chaincode": CHAINCODE,
        "channel": session.consortium.channel,
        "commit_seconds": COMMIT_SECONDS,
        "endorse_seconds": ENDORSE_SECONDS,
        "endpoint": member.peer,
        "in_flight": in_flight,
        "key": str(profile.key.absolute()),
        "msp_id": profile.msp_id,
        "requests": str(requests),
        "submit_seconds": SUBMIT_SECONDS,
        "tls_name": member.tls_name,
        "tls_root": str(member.tls_root.absolute()),
        "transaction": "issue",
        "warm_up": in_flight,
    }
    config.write_text(json.dumps(told), encoding="utf-8")


def _turn(answer: dict[str, Any]) -> _Turn:
    return _Turn(
        float(answer["seconds"]),
        float(answer["cpu_seconds"]),
        [float(each) for each in answer["durations"]],
        int(answer["failures"]),
    )


def _measurement(
    name: str, engine: str, turns: Sequence[_Turn], parameters: Mapping[str, int]
) -> Measurement:
    durations = [each for turn in turns for each in turn.durations]
    cpu = sum(turn.cpu_seconds for turn in turns)
    return Measurement(
        name=name,
        count=len(durations),
        seconds=sum(turn.seconds for turn in turns),
        unit="transactions",
        failures=sum(turn.failures for turn in turns),
        engine=engine,
        parameters=parameters,
        quantiles_ms=quantiles_ms(durations),
        stages={"client_cpu_seconds_per_thousand": round(1000 * cpu / max(1, len(durations)), 4)},
    )

"""The profiles by the names that commands take: one line each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.networks import NetworkKind, RunningNetwork
from shirushi_benchmarks.peers.echo_chaincode import measure_echoes
from shirushi_benchmarks.peers.official_client import measure_gateway_clients
from shirushi_benchmarks.peers.pipeline import measure_pipeline
from shirushi_benchmarks.peers.pymerkle_pipeline import measure_pymerkle
from shirushi_benchmarks.peers.wrap_documents import measure_wrap_documents
from shirushi_benchmarks.profiles.bulk import measure_bulk
from shirushi_benchmarks.profiles.costs import measure_costs
from shirushi_benchmarks.profiles.growth import measure_growth
from shirushi_benchmarks.profiles.one_at_a_time import measure_one_at_a_time
from shirushi_benchmarks.profiles.transactions import measure_transactions
from shirushi_benchmarks.profiles.verifying import measure_verifying, measure_verifying_online
from shirushi_benchmarks.settings import Advance, Settings
from shirushi_core.errors import InvalidInputError

Measured = Coroutine[Any, Any, list[Measurement]] | Iterable[Measurement]
"""What a profile gives: a coroutine to run, or measurements one by one."""

OnNetwork = Callable[[RunningNetwork, Path, Settings, Advance], Measured]
"""Measures on a network, with an empty folder for its files."""

Alone = Callable[[Path, Settings, Advance], Measured]
"""Measures what takes no network, or brings up its own, with an empty folder for its files."""

PEERS_IN_FLIGHT = 100
"""Transactions under way at once where what others made is compared with ours."""

_ANCHORING = (NetworkKind.EMBEDDED, NetworkKind.BFT)


@dataclass(frozen=True, slots=True)
class Profile:
    """A question, on what it can be asked, and what measures the answer.

    `kinds` are the networks it runs on; without one of them it is `alone` that measures. `witnesses`: whether those networks have them.
    `member_down`: whether it is asked again with a member down. `by_default` and `in_short`: whether it is asked where no profile
    is named, and where the short form is.
    """

    name: str
    question: str
    measure: OnNetwork | None = None
    kinds: tuple[NetworkKind, ...] = ()
    witnesses: bool = True
    member_down: bool = True
    by_default: bool = True
    in_short: bool = True
    alone: Alone | None = None


def _gateway_clients(network: RunningNetwork, _: Path, settings: Settings, advance: Advance) -> Measured:
    return measure_gateway_clients(
        network.layout.root,
        engine=network.kind.value,
        count=settings.transactions,
        in_flight=PEERS_IN_FLIGHT,
        advance=advance,
    )


def _echoes(network: RunningNetwork, _: Path, settings: Settings, advance: Advance) -> Measured:
    return measure_echoes(
        network.layout.root,
        engine=network.kind.value,
        count=2 * settings.transactions,
        in_flight=PEERS_IN_FLIGHT,
        advance=advance,
    )


async def _pipelines(folder: Path, settings: Settings, advance: Advance) -> list[Measurement]:
    count, batch = settings.pipeline, settings.pipeline_batch
    ours = await measure_pipeline(count=count, batch=batch, folder=folder, advance=advance)
    return [*ours, await measure_pymerkle(count=count, batch=batch, folder=folder, advance=advance)]


async def _wrap_documents(_: Path, settings: Settings, advance: Advance) -> list[Measurement]:
    count = max(1, settings.pipeline // 4)
    return [await measure_wrap_documents(count=count, batch=settings.pipeline_batch, advance=advance)]


def _growth(folder: Path, settings: Settings, advance: Advance) -> Measured:
    return measure_growth(
        folder,
        folder,
        anchors=settings.anchors,
        documents=settings.journal,
        progress=lambda what: advance(f"growth: {what}", 0, 1),
    )


PROFILES = (
    Profile(
        "one-at-a-time", "how soon a citizen who asks holds the receipt", measure_one_at_a_time, _ANCHORING
    ),
    Profile("bulk", "how many documents a second are issued, and at what cost", measure_bulk, _ANCHORING),
    Profile(
        "transactions",
        "how many transactions a second are committed, a certificate each",
        measure_transactions,
        tuple(NetworkKind),
        witnesses=False,
    ),
    Profile(
        "verify",
        "how many receipts a second one process verifies offline",
        measure_verifying,
        (NetworkKind.EMBEDDED,),
        member_down=False,
    ),
    Profile(
        "verify-online", "how soon the members have confirmed a receipt", measure_verifying_online, _ANCHORING
    ),
    Profile(
        "gateway-clients",
        "how many transactions a second our Gateway client sends, and the official one",
        _gateway_clients,
        (NetworkKind.EMBEDDED, NetworkKind.RAFT),
        witnesses=False,
        member_down=False,
        in_short=False,
    ),
    Profile(
        "echo",
        "what our chaincode service costs, beside the bare protocol",
        _echoes,
        (NetworkKind.RAFT,),
        witnesses=False,
        member_down=False,
        in_short=False,
    ),
    Profile(
        "pipelines",
        "how many documents a second are proved without a ledger, by us and with pymerkle",
        in_short=False,
        alone=_pipelines,
    ),
    Profile(
        "costs",
        "where the time of one document and of one transaction goes",
        in_short=False,
        alone=measure_costs,
    ),
    Profile(
        "growth",
        "what one costs on a ledger that has grown, and with a journal that has",
        in_short=False,
        alone=_growth,
    ),
    Profile(
        "wrap-documents",
        "how many documents a second OpenAttestation wraps",
        in_short=False,
        alone=_wrap_documents,
    ),
)

ALL = "all"
"""What names every profile, those included that are asked by their names only."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Profiles that are measured on one network, or without (`kind` None)."""

    kind: NetworkKind | None
    witnesses: bool
    profiles: tuple[Profile, ...]


def chosen(names: Sequence[str], *, short: bool, profiles: Sequence[Profile] = PROFILES) -> list[Profile]:
    """Return the profiles of these names, of no names those asked by default; raises InvalidInputError."""
    known = {profile.name: profile for profile in profiles}
    for name in names:
        if name not in known and name != ALL:
            raise InvalidInputError(f"no profile {name!r}; the profiles are {', '.join(known)}, or {ALL}")
    if not names:
        return [each for each in profiles if (each.in_short if short else each.by_default)]
    return [each for each in profiles if ALL in names or each.name in names]


def stages(profiles: Iterable[Profile], kinds: Sequence[NetworkKind]) -> list[Stage]:
    """Arrange what can be measured on these kinds of network so that each network is brought up once."""
    arranged: dict[tuple[NetworkKind | None, bool], list[Profile]] = {}
    for profile in profiles:
        on: list[NetworkKind | None] = [each for each in kinds if each in profile.kinds]
        if profile.alone is not None:
            on.append(None)
        for kind in on:
            arranged.setdefault((kind, kind is None or profile.witnesses), []).append(profile)
    order: list[NetworkKind | None] = [*kinds, None]
    return [
        Stage(kind, witnesses, tuple(of_stage))
        for (kind, witnesses), of_stage in sorted(arranged.items(), key=lambda each: order.index(each[0][0]))
    ]

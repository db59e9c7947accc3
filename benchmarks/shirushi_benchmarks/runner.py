"""Running profiles: each network brought up once, its profiles one after the other, and once more with a member down."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shirushi_benchmarks.measurement import Measurement
from shirushi_benchmarks.networks import NetworkKind, Progress, RunningNetwork, running
from shirushi_benchmarks.registry import Measured, Profile, Stage
from shirushi_benchmarks.report import Problem
from shirushi_benchmarks.settings import Advance, Settings
from shirushi_core.errors import ShirushiError

MEMBER_DOWN = "gcom"
"""Who is down where one member is: not the issuer's own member, which would be another question."""


@dataclass(slots=True)
class Run:
    """What is found, as it is found; `progress` is told lines, `advance` how far a profile is."""

    folder: Path
    settings: Settings
    progress: Progress
    advance: Advance
    measurements: list[Measurement] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _folders: int = 0

    def measure(self, stages: Sequence[Stage], *, member_down: bool) -> None:
        """Measure stage by stage. A profile that cannot be measured is noted, and the next one is."""
        for stage in stages:
            if stage.kind is None:
                for profile in stage.profiles:
                    self._alone(profile)
            else:
                self._on_network(stage, stage.kind, member_down=member_down)

    def _on_network(self, stage: Stage, kind: NetworkKind, *, member_down: bool) -> None:
        with self._noted(stage.profiles, kind.value):
            root = self._new_folder()
            self.progress(f"{kind}: bringing the network up")
            with running(kind, root, self.progress, witnesses=stage.witnesses) as network:
                for profile in stage.profiles:
                    self._profile(profile, network)
                again = [each for each in stage.profiles if each.member_down]
                if member_down and again and kind is not NetworkKind.RAFT:
                    with network.without(MEMBER_DOWN) as rest:
                        for profile in again:
                            self._profile(profile, rest)

    def _profile(self, profile: Profile, network: RunningNetwork) -> None:
        if profile.measure is not None:
            down = f", {network.down} down" if network.down else ""
            self.progress(f"{network.kind}{down}: {profile.question}")
            with self._noted([profile], network.kind.value):
                self._take(profile.measure(network, self._new_folder(), self.settings, self.advance))

    def _alone(self, profile: Profile) -> None:
        if profile.alone is not None:
            self.progress(profile.question)
            with self._noted([profile], ""):
                self._take(profile.alone(self._new_folder(), self.settings, self.advance))

    def _take(self, measured: Measured) -> None:
        if isinstance(measured, Coroutine):
            self.measurements += asyncio.run(measured)
        else:
            self.measurements.extend(measured)

    @contextmanager
    def _noted(self, profiles: Sequence[Profile], engine: str) -> Iterator[None]:
        try:
            yield
        except* (ShirushiError, OSError) as errors:
            for profile in profiles:
                sentence = "; ".join(map(str, _single(errors)))
                self.problems.append(Problem(profile.name, engine, sentence))
                self.progress(f"{profile.name} could not be measured: {sentence}")

    def _new_folder(self) -> Path:
        self._folders += 1
        folder = self.folder / f"{self._folders:02d}"
        folder.mkdir(parents=True)
        return folder


def _single(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _single(error)
        else:
            yield error

"""The witnesses of an embedded consortium: one for each member that runs one, in the members' own process."""

from __future__ import annotations

from typing import Any

from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.topology import Member, Topology
from shirushi_network.witness_configuration import witness_configuration
from shirushi_network.witness_settings import settings_of
from shirushi_network.witness_status import shown
from shirushi_node.witness.preparing import SharedPreparing
from shirushi_node.witness.service import WitnessService, WitnessSettings


class EmbeddedWitnesses:
    """Starts and stops members' witnesses; each keeps its log in witness/<member id>."""

    def __init__(self, settings: dict[str, WitnessSettings]) -> None:
        self._settings = settings
        self._services: dict[str, WitnessService] = {}
        self._running: set[str] = set()
        self._preparing = SharedPreparing()

    @classmethod
    def load(cls, layout: Layout, topology: Topology) -> EmbeddedWitnesses:
        """Load what each member's witness is given; raises ConsortiumError, InvalidInputError."""
        return cls(
            {
                member.id: settings_of(
                    witness_configuration(
                        layout,
                        topology,
                        member,
                        home=layout.members / member.id,
                        data=layout.witnesses / member.id,
                        genesis=layout.genesis,
                        policy=layout.trust_policy,
                    )
                )
                for member in topology.members
                if member.witness is not None
            }
        )

    async def start_all(self) -> None:
        """Start every witness; raises WitnessError, and whoever started them stops them."""
        for member_id in self._settings:
            await self._start(member_id)

    async def stop_all(self) -> None:
        """Stop those that run."""
        for member_id in sorted(self._running):
            await self._stop(member_id)

    async def start(self, member: Member, *, needed: bool) -> None:
        """Start a member's witness, unless it runs; raises ConsortiumError if one is `needed` and it has none."""
        if self._has(member, needed) and member.id not in self._running:
            await self._start(member.id)

    async def stop(self, member: Member, *, needed: bool) -> None:
        """Stop a member's witness, if it runs; raises ConsortiumError if one is `needed` and it has none."""
        if self._has(member, needed) and member.id in self._running:
            await self._stop(member.id)

    def shown(self, member: Member) -> dict[str, Any] | None:
        """Return a witness as `status` shows it, None for a member without one."""
        service = self._services.get(member.id)
        return None if service is None or member.witness is None else shown(member.witness, service.status())

    def _has(self, member: Member, needed: bool) -> bool:
        if member.id in self._settings:
            return True
        if needed:
            raise ConsortiumError(f"{member.id} runs no witness: topology.toml has none for it")
        return False

    async def _start(self, member_id: str) -> None:
        settings = self._settings[member_id]
        settings.folder.parent.mkdir(mode=0o700, exist_ok=True)
        service = self._services[member_id] = WitnessService(settings, preparing=self._preparing)
        await service.start()
        self._running.add(member_id)

    async def _stop(self, member_id: str) -> None:
        self._running.discard(member_id)
        await self._services[member_id].stop()

"""Configuration updates of a running channel: proposed, signed by the admins of this machine, submitted, awaited.

The file that members pass on is docs/formats/config-update.md.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fabric_protos.common import common_pb2, configtx_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.block import bft_quorum
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.config_approval import Approval, judge_signatures
from shirushi_core.fabric.config_difference import describe_difference
from shirushi_core.fabric.config_proposal import MAX_PROPOSAL_BYTES, ProposedUpdate
from shirushi_core.fabric.config_update import StaleUpdateError, apply_update, compute_update
from shirushi_network.config_blocks import ConfigBlock, newest_config_of
from shirushi_network.errors import ConsortiumError
from shirushi_network.fabric.orderer_client import open_orderer
from shirushi_network.fabric.participation import OrdererError
from shirushi_network.fabric.peer_admin import PeerError
from shirushi_network.layout import Layout
from shirushi_network.member_access import asking_identity, identity_of, members_here, tls_roots
from shirushi_network.member_changes import public_key
from shirushi_network.member_files import read_file
from shirushi_network.topology import Member, Topology

COMMIT_SECONDS = 60.0
"""How long orderers may take for a config block; a leader that has to be replaced takes most of it."""

LEVEL_SECONDS = 30.0
"""How long an orderer that lacks several blocks may take for them."""

POLL_SECONDS = 0.2


class ChannelUpdateError(ConsortiumError):
    """An update that cannot be proposed, signed or submitted; the text says what is missing, or what to do next."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A proposed update beside the channel's current configuration: what it changes, and who has signed it."""

    proposed: ProposedUpdate
    current: ConfigBlock
    changes: tuple[str, ...]
    approval: Approval

    @property
    def becomes(self) -> configtx_pb2.Config:
        """The configuration that orderers make of it."""
        return apply_update(self.current.config.config, self.proposed.update)


def propose(current: ConfigBlock, desired: configtx_pb2.ConfigGroup) -> ProposedUpdate:
    """Return the unsigned update to a desired configuration; raises NothingChangedError if it is the current one."""
    config = current.config
    return ProposedUpdate.from_update(compute_update(config.channel_id, config.config, desired))


def judge(current: ConfigBlock, proposed: ProposedUpdate, at: datetime) -> Judged:
    """Judge an update under the current configuration; raises ChannelUpdateError if it was made for an older one."""
    try:
        approval = judge_signatures(current.config, proposed, at)
        becomes = apply_update(current.config.config, proposed.update)
    except StaleUpdateError as error:
        raise ChannelUpdateError(
            f"the channel's configuration has changed since this update was made, or has it already ({error}): make it "
            "anew, and have that signed"
        ) from None
    changes = tuple(describe_difference(current.config.config, becomes))
    return Judged(proposed, current, changes, approval)


def read_proposals(paths: Sequence[Path]) -> ProposedUpdate:
    """Read one update out of one or more files, with the signatures of all; raises ConsortiumError naming the file."""
    merged: ProposedUpdate | None = None
    for path in paths:
        try:
            proposed = ProposedUpdate.from_bytes(read_file(path, MAX_PROPOSAL_BYTES))
        except InvalidInputError as error:
            raise ChannelUpdateError(f"{path} is no proposed configuration update: {error}") from None
        merged = proposed if merged is None else merged.merged(proposed)
    if merged is None:
        raise ChannelUpdateError("expected the file of a proposed update, found none")
    return merged


def sign_here(
    layout: Layout, topology: Topology, judged: Judged, at: datetime
) -> tuple[Judged, tuple[Member, ...]]:
    """Add signatures of admins whose keys are here, as long as one helps; returns whose were added.

    Raises MemberKeysError for keys that cannot be read.
    """
    here = {member.msp_id: member for member in members_here(layout, topology.members)}
    added: list[Member] = []
    while not judged.approval.sufficient:
        helpful = [here[msp_id] for msp_id in judged.approval.candidates if msp_id in here]
        if not helpful:
            break
        admin = identity_of(layout, helpful[0], "admin")
        signed = judge(judged.current, judged.proposed.signed_by(admin, os.urandom(24)), at)
        if helpful[0].msp_id not in signed.approval.signed_members:
            problem = signed.approval.signers[-1].problem or "it is no admin's"
            raise ChannelUpdateError(
                f"the channel does not take the signature of {helpful[0].id}'s admin: {problem}"
            )
        judged = signed
        added.append(helpful[0])
    return judged, tuple(added)


def takes_orderers_out(before: ChannelConfig, after: ChannelConfig) -> bool:
    """Say whether an update adds, removes or re-keys orderers, so that fewer than now may be left for a while."""
    return _consenters(before) != _consenters(after)


def quorum_problem(
    before: ChannelConfig, after: ChannelConfig, level: frozenset[str], names: Mapping[str, str]
) -> str | None:
    """Say why too few orderers would be left to make blocks after an update; None if enough are.

    `level` are the MSP ids whose orderers have the newest block now. An orderer that is new, or gets another key, is
    out until its operator acts.
    """
    if not takes_orderers_out(before, after):
        return None
    starting = [msp_id for _, msp_id, _ in _consenters(after) - _consenters(before)]
    silent = [
        each.msp_id for each in after.consenters if each.msp_id not in level and each.msp_id not in starting
    ]
    count, quorum = len(after.consenters), bft_quorum(len(after.consenters))
    left = count - len(starting) - len(silent)
    if left >= quorum:
        return None
    out = ", ".join(names.get(each, each) for each in silent)
    because = (
        f"the orderers of {out} do not answer or are behind: bring them up first"
        if silent
        else "change fewer at once"
    )
    return f"{left} of {count} orderers would be left, and {quorum} are needed for a block; {because}"


async def level_orderers(layout: Layout, topology: Topology) -> frozenset[str]:
    """Return the MSP ids of the members whose orderers are level: that answer, and lack one block at most.

    An orderer that was restarted while a block was made notices it at the next one, such as that of the update itself;
    one that lacks more has LEVEL_SECONDS to get them.
    """
    members = [member for member in topology.members if member.orderer]
    numbers = await asyncio.gather(*(_newest_number(layout, topology, member) for member in members))
    least = max(numbers) - 1

    async def is_level(member: Member, number: int) -> bool:
        deadline = time.monotonic() + LEVEL_SECONDS
        while 0 <= number < least and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            number = await _newest_number(layout, topology, member)
        return number >= max(least, 0)

    found = await asyncio.gather(*map(is_level, members, numbers))
    return frozenset(member.msp_id for member, level in zip(members, found, strict=True) if level)


def _consenters(config: ChannelConfig) -> set[tuple[int, str, bytes]]:
    return {(each.id, each.msp_id, public_key(each.identity_pem)) for each in config.consenters}


async def _newest_number(layout: Layout, topology: Topology, member: Member) -> int:
    """Return the number of an orderer's newest block, -1 if it does not answer."""
    try:
        identity = asking_identity(layout, topology, member)
        async with open_orderer(member, identity, tls_roots(layout, member)) as orderer:
            return int((await orderer.newest_block(topology.channel)).header.number)
    except ConsortiumError:
        return -1


async def submit(layout: Layout, topology: Topology, judged: Judged) -> ConfigBlock:
    """Hand a sufficiently signed update to all orderers and wait until the own peers have committed its config block.

    Returns that block. Raises ChannelUpdateError if signatures are missing, OrdererError in the orderers' words if none
    takes it, ConsortiumError if no config block comes.
    """
    if not judged.approval.sufficient:
        raise ChannelUpdateError(judged.approval.summary)
    envelope = _envelope(layout, topology, judged)
    problems = await asyncio.gather(
        *(_hand_in(layout, topology, member, envelope) for member in topology.members if member.orderer)
    )
    if all(problem is not None for problem in problems):
        raise OrdererError(f"no orderer takes the update: {_best(problems)}")
    committed = await _committed(layout, topology, judged)
    if committed.config.config != judged.becomes:
        raise ChannelUpdateError(
            f"another update was ordered first (block {committed.number}): make this one anew, and have that signed"
        )
    return committed


def _envelope(layout: Layout, topology: Topology, judged: Judged) -> common_pb2.Envelope:
    channel = {*judged.current.config.application_orgs, *judged.current.config.orderer_orgs}
    here = [member for member in members_here(layout, topology.members) if member.msp_id in channel]
    if not here:
        raise ChannelUpdateError(
            f"no member of the channel has its keys in {layout.members}: submit it on a member's machine"
        )
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    admin = identity_of(layout, here[0], "admin")
    return judged.proposed.envelope(admin, os.urandom(24), seconds, nanos)


async def _hand_in(
    layout: Layout, topology: Topology, member: Member, envelope: common_pb2.Envelope
) -> str | None:
    """Return why an orderer did not take an envelope, None if it did."""
    try:
        identity = asking_identity(layout, topology, member)
        async with open_orderer(member, identity, tls_roots(layout, member)) as orderer:
            await orderer.broadcast(envelope)
    except ConsortiumError as error:
        return str(error)
    return None


def _best(problems: Sequence[str | None]) -> str:
    """Return an orderer's own refusal, rather than that another does not answer."""
    said = [problem for problem in problems if problem is not None]
    return next((each for each in said if " refuses: " in each), said[0])


async def _committed(layout: Layout, topology: Topology, judged: Judged) -> ConfigBlock:
    """Wait until the own peers, or one of another member, have a newer configuration."""
    stay = set(_members_after(judged))
    here = [member for member in members_here(layout, topology.members) if member.msp_id in stay]
    others = [member for member in topology.members if member.msp_id in stay and member not in here]
    last: ConsortiumError = ConsortiumError("no peer is left to ask")
    for group in (here, others):
        found = await asyncio.gather(
            *(_newer(layout, topology, member, judged.current.config.sequence) for member in group),
            return_exceptions=True,
        )
        for each in found:
            if isinstance(each, ConfigBlock):
                return each
            if not isinstance(each, ConsortiumError):
                raise each
            last = each
    raise last


def _members_after(judged: Judged) -> list[str]:
    groups = judged.becomes.channel_group.groups["Application"].groups
    return [msp_id for msp_id in judged.current.config.application_orgs if msp_id in groups]


async def _newer(layout: Layout, topology: Topology, member: Member, sequence: int) -> ConfigBlock:
    try:
        async with asyncio.timeout(COMMIT_SECONDS):
            while True:
                found = await newest_config_of(layout, topology, member)
                if found.config.sequence > sequence:
                    return found
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise PeerError(
            f"the orderers took the update, and the peer of {member.name_en} has no config block of it after "
            f"{COMMIT_SECONDS:.0f} s: `shirushi consortium status` shows whether enough orderers run"
        ) from None

"""Config updates of one member, handed to real orderers and read by our own code."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random

from fabric_protos.common import configtx_pb2
from tests.fabric.fuzzing.arena import Arena, Tally, written
from tests.fabric.fuzzing.cases import OddIdentity, serialized
from tests.fabric.fuzzing.drafts import end_entity
from tests.fabric.fuzzing.keys import make_key
from tests.fabric.fuzzing.msp_cases import ConfigCase, config_case
from tests.fabric.twins import ACCEPTED

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import ChannelConfig, from_config
from shirushi_core.fabric.config_checks import check_group
from shirushi_core.fabric.config_proposal import ProposedUpdate
from shirushi_core.fabric.config_update import ConfigUpdateError, apply_update, compute_update
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.msp import IdentityError
from shirushi_core.fabric.policy import PolicyError


def judge_updates(arena: Arena, seeds: Iterable[int], tally: Tally) -> None:
    """Have one member make each case's change, see what both say of it and of those it lets in, and take it back."""
    original = arena.twins.config.config.channel_group
    for seed in seeds:
        case = config_case(seed, original, arena.member.msp_id, arena.issuer)
        theirs = _update(arena, case, tally)
        if theirs:
            _try(arena, case, tally)
            back = ConfigCase(seed, "taken back", (), original, arena.issuer)
            if not _update(arena, back, tally):
                raise AssertionError(f"{case.name} cannot be taken back: {tally.reasons[-1:]}")


def _update(arena: Arena, case: ConfigCase, tally: Tally) -> bool:
    """Hand in an update and say whether orderers took it; nothing is sent that would lock the member's admin out."""
    config = arena.twins.config
    try:
        update = compute_update(config.channel_id, config.config, case.edited)
    except ConfigUpdateError:
        return False  # nothing changes
    admin = arena.cast[f"admin{arena.position + 1}"]
    assert isinstance(admin, SigningIdentity)
    proposed = ProposedUpdate.from_update(update).signed_by(admin, secrets.token_bytes(24))
    after = from_config(config.channel_id, apply_update(config.config, proposed.update))
    if not _may_take_back(arena, case, after):
        tally.withheld += 1
        return False
    envelope = proposed.envelope(admin, secrets.token_bytes(24), int(datetime.now(UTC).timestamp()))
    (answer,) = arena.twins.run(arena.twins.hand_in([envelope.SerializeToString()]))
    theirs = "taken" if answer == ACCEPTED else "refused"
    ours, reason = ours_of(case, config.config.channel_group)
    tally.count(case.name, theirs, ours if ours == theirs else f"{ours} {reason}")
    if answer != ACCEPTED:
        tally.reasons.append(f"{case.name}: {answer}")
        return False
    (committed,) = arena.twins.run(arena.twins.follow(1))
    tally.count(case.name, str(committed.theirs), str(committed.ours))
    arena.twins.reconfigure(committed.block)
    arena.twins.take_over_hash(committed)
    return True


def ours_of(case: ConfigCase, before: configtx_pb2.ConfigGroup) -> tuple[str, str]:
    """Say whether our own code takes a change, and why not."""
    try:
        check_group(case.edited, before)
    except InvalidInputError as error:
        if str(error).startswith("consenter "):
            return "taken", ""  # our own tools make no such update, and read it
        return "refused", str(error)
    return "taken", ""


def _may_take_back(arena: Arena, case: ConfigCase, after: ChannelConfig) -> bool:
    admin = arena.cast[f"admin{arena.position + 1}"].identity.serialized
    if "MD5" in case.chosen or "SHA3" in case.chosen:
        return False  # its signatures would have to be others than those that are made here
    if arena.member.msp_id in after.msps.unreadable:
        return True  # orderers are expected to refuse it
    try:
        identity = after.msps.validate(admin, datetime.now(UTC))
        after.policies.get(f"/Channel/Application/{arena.member.msp_id}/Admins").evaluate([identity])
    except (InvalidInputError, PolicyError, IdentityError):
        return False
    return True


def _try(arena: Arena, case: ConfigCase, tally: Tally) -> None:
    """See whom the member's MSP lets in now: its own peer, one of the CA that came with the change, and its client."""
    random = Random(f"holder {case.seed}")
    draft = end_entity(case.holder_of, "peer", random, make_key(random))
    holder = OddIdentity(serialized(arena.member.msp_id, draft.encoded), draft.key)
    own = arena.position + 1
    plans = [
        written(f"{case.name}: its own peer", "peer1", "peer3", f"peer{own}"),
        written(f"{case.name}: a peer of its", "peer1", "peer3", "odd"),
        written(f"{case.name}: its client", "peer1", "peer3", "peer4", creator=f"client{own}"),
        written(f"{case.name}: the others", "peer1", "peer3", "peer4"),
    ]
    arena.judge(plans, {"odd": holder}, tally)

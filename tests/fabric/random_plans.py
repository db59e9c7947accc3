"""Random transactions as plans: what each reads and writes, who endorses it, and what is wrong with it.

A pure function of a seed. What depends on the ledger stands here in words ("as it is", "an older version") and becomes
bytes later (forging.py). Rounds are committed one after the other. Within a round the order of blocks is the orderers'.

Malformed transactions have rounds of their own, and policies of keys are changed only by transactions that are judged by
their endorsements, so that one transaction's defects do not stand in the way of comparing the next. Plans that no
endorser makes and that cannot be compared are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from tests.fabric.damages import MALFORMED, ODD, REFUSED

OPEN, STRICT = "open", "strict"
"""Chaincodes: one endorsed by a majority of members, one by a policy of its own."""

VERSION = "1.0"
PASSING = (*(f"k{number:02d}" for number in range(20)), "k\x00", "k\u00ff", "\u8a3c\u660e", "\U0001f511")
LASTING = tuple(f"k{number:02d}" for number in range(20, 30))
KEYS = (*PASSING, *LASTING)
"""Keys that may be deleted, and keys that never are."""

PEERS = tuple(f"peer{number}" for number in range(1, 6))
STRANGERS = (
    "client1",
    "admin2",
    "orderer3",
    "expired-peer4",
    "forged-peer2",
    "high-s-peer3",
    "foreign-peer1",
    "nobody",
)
"""Endorsers that count for less than they seem, or for what they are although it does not look so."""

ROUND, MALFORMED_ROUND = 90, 25
REMEMBERED = 1000
"""Transactions that an orderer still knows after it ordered them, and refuses to order again."""


@dataclass(frozen=True)
class Read:
    """A key read: `found` "as it is", "older", "absent" or "invented"."""

    key: str
    found: str = "as it is"


@dataclass(frozen=True)
class Range:
    """A range read up to `limit` keys (None: to its end): `found` "as it is", "one missing", "one more" or "older"."""

    start: str
    end: str
    limit: int | None = None
    found: str = "as it is"


@dataclass(frozen=True)
class Touched:
    """What a transaction does in one namespace; a value None deletes, a policy None takes the key's own away."""

    namespace: str
    reads: tuple[Read, ...] = ()
    ranges: tuple[Range, ...] = ()
    writes: tuple[tuple[str, bytes | None], ...] = ()
    policies: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class Plan:
    """One transaction; `damage` names what is done to its bytes, `repeats` the earlier one that it is once more."""

    kind: str
    touched: tuple[Touched, ...] = ()
    endorsers: tuple[str, ...] = PEERS[:3]
    chaincode: str = OPEN
    creator: str = "client1"
    damage: str = ""
    version: str = VERSION
    repeats: int | None = None


POLICIES: dict[str, str] = {
    "the first peer": "OR('IizukaMSP.peer')",
    "two peers": "AND('IizukaMSP.peer', 'HawMSP.peer')",
    "any client": "OR('IizukaMSP.client', 'ChaintopeMSP.client')",
    "four of five": "OutOf(4, 'IizukaMSP.peer', 'ChaintopeMSP.peer', 'HawMSP.peer', 'KaguyaMSP.peer', 'GcomMSP.peer')",
    "any member": "OR('IizukaMSP.member', 'GcomMSP.member')",
    "strangers": "OR('NobodyMSP.member')",
}
SPECIAL_POLICIES = ("empty", "nobody in it", "another entry")

STRICT_POLICY = "OutOf(2, AND('IizukaMSP.peer', 'ChaintopeMSP.peer'), 'HawMSP.peer', 'KaguyaMSP.member')"


def rounds(seed: int, transactions: int) -> list[list[Plan]]:
    """Return about so many plans, in rounds; the last round repeats what the orderers have forgotten."""
    random = Random(seed)
    made: list[list[Plan]] = []
    count = 0
    while count < transactions:
        every_fourth = len(made) % 4 == 3
        size = MALFORMED_ROUND if every_fourth else random.randint(1, ROUND)
        if every_fourth:
            made.append([_malformed(random) for _ in range(size)])
        else:
            made.append([_plan(random, count) for _ in range(size)])
        count += size
    forgotten = count - 2 * REMEMBERED
    if forgotten > 0:
        repeated = sorted(random.sample(range(forgotten), min(40, forgotten)))
        made.append([Plan("repeated late", repeats=number) for number in repeated])
    return made


def _plan(random: Random, before: int) -> Plan:
    """Return one transaction that peers can take apart; `before` plans were made in earlier rounds."""
    kind, weight = zip(*_WEIGHTS.items(), strict=True)
    chosen = random.choices(kind, weight)[0]
    if chosen == "refused":
        damage = random.choice(sorted(REFUSED))
        return replace(_good(random), kind=f"refused: {damage}", damage=damage)
    if chosen == "odd":
        damage = random.choice(sorted(ODD))
        # one changed byte does not make these the same key
        writes = tuple((key, _value(random)) for key in random.choice((("k01", "k12"), ("k03", "k15"))))
        return replace(_good(random, Touched(OPEN, writes=writes)), kind=f"odd: {damage}", damage=damage)
    if chosen == "repeated soon":
        if before < 2:
            return _good(random)
        return Plan(chosen, repeats=random.randrange(max(0, before - REMEMBERED // 2), before))
    plan = _MAKERS[chosen](random)
    return replace(plan, kind=chosen)


def _malformed(random: Random) -> Plan:
    damage = random.choice(sorted(MALFORMED))
    return replace(_good(random), kind=f"malformed: {damage}", damage=damage)


def _value(random: Random) -> bytes:
    return random.choice((b"v%d", b"value %d", b"\x00%d", b"\xff\xfe%d")) % random.randrange(1000)


def _key(random: Random) -> str:
    return random.choice(KEYS)


def _keys(random: Random, most: int) -> list[str]:
    return random.sample(KEYS, random.randint(1, most))


def _writes(random: Random, most: int = 3) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((key, _value(random)) for key in _keys(random, most))


def _endorsers(random: Random) -> tuple[str, ...]:
    """Return mostly enough endorsers, in any order."""
    count = random.choices((3, 4, 5, 2, 1), (50, 15, 25, 7, 3))[0]
    return tuple(random.sample(PEERS, count))


def _good(random: Random, *touched: Touched) -> Plan:
    chaincode = random.choices((OPEN, STRICT), (4, 1))[0]
    where = touched or (Touched(chaincode, writes=_writes(random)),)
    return Plan(
        "good",
        where,
        _endorsers(random),
        where[0].namespace,
        creator=random.choice(("client1", "client2", "admin3", "peer4", "orderer5")),
    )


def _on(random: Random, **touched: tuple[object, ...]) -> Plan:
    chaincode = random.choices((OPEN, STRICT), (4, 1))[0]
    return _good(random, Touched(chaincode, **touched))  # type: ignore[arg-type]


def _read_and_write(random: Random) -> Plan:
    keys = _keys(random, 3)
    return _on(
        random,
        reads=tuple(Read(key) for key in keys),
        writes=tuple((key, _value(random)) for key in keys if random.random() < 0.7),
    )


def _wrong_read(random: Random) -> Plan:
    found = random.choice(("older", "absent", "invented"))
    return _on(random, reads=(Read(_key(random), found), Read(_key(random))), writes=_writes(random, 1))


def _range(random: Random, limit: int | None, found: str) -> Plan:
    start, end = sorted((_key(random), _key(random)))
    bounds = random.choice(((start, end), (start, ""), ("", end), ("", ""), (end, start)))
    asked = Range(*bounds, limit, found)
    return _on(random, ranges=(asked,), writes=_writes(random, 2) if random.random() < 0.8 else ())


def _other_range(random: Random) -> Plan:
    found = random.choice(("one missing", "one more", "older"))
    return _range(random, random.choice((None, 2)), found)


def _several(random: Random) -> Plan:
    """Read, range over, write and delete in two chaincodes."""
    first, second = random.sample((OPEN, STRICT), 2)
    deleted = random.choice(PASSING)
    return _good(
        random,
        Touched(first, (Read(_key(random)),), (Range(KEYS[3], KEYS[9]),), ((deleted, None),)),
        Touched(second, (Read(_key(random)),), (), _writes(random) if random.random() < 0.7 else ()),
    )


def _policy(random: Random, key: str) -> str | None:
    """Return a policy for a key; few keys may get one that nobody can satisfy."""
    if key in LASTING[-3:]:
        return random.choice((*POLICIES, *SPECIAL_POLICIES))
    return random.choice(
        ("the first peer", "two peers", "four of five", "any member", "empty", None, None, None)
    )


def _policy_change(random: Random) -> Plan:
    key, other = random.choice(PASSING), random.choice(LASTING)
    changes = ((key, _policy(random, key)), (other, _policy(random, other)))
    plan = _on(random, reads=(Read(key),), policies=random.choice((changes, changes[:1])))
    return replace(plan, endorsers=random.choice((PEERS, plan.endorsers)))


def _value_and_policy(random: Random) -> Plan:
    key = _key(random)
    value = None if key in PASSING and random.random() < 0.2 else _value(random)
    return _on(random, writes=((key, value),), policies=((key, _policy(random, key)),))


def _same_key_s_policy(random: Random) -> Plan:
    """Return one of those that meet on few keys within a block: a value, or a policy without a look at the key."""
    key = random.choice(LASTING[:4])
    if random.random() < 0.5:
        return _on(random, writes=((key, _value(random)),))
    return _on(random, policies=((key, random.choice(("any member", "empty", None))),))


def _badly_endorsed(random: Random) -> Plan:
    endorsers = [*random.sample(PEERS, random.randint(0, 3)), *random.sample(STRANGERS, random.randint(1, 3))]
    if random.random() < 0.3:
        endorsers += endorsers[:1]
    random.shuffle(endorsers)
    return replace(_good(random), endorsers=tuple(endorsers))


def _few_endorsers(random: Random) -> Plan:
    return replace(_good(random), endorsers=tuple(random.sample(PEERS, random.randint(0, 2))))


def _nobody_s_chaincode(random: Random) -> Plan:
    return _good(random, Touched("unknown", writes=_writes(random)))


def _nobody_s_namespace(random: Random) -> Plan:
    """Read or write beside the own namespace; well endorsed, for peers look at namespaces in no order of theirs."""
    other = random.choice(("unknown", "", "opens"))
    writes = _writes(random) if random.random() < 0.6 else ()
    own = Touched(OPEN, writes=(("plain", _value(random)),))
    return replace(_good(random, own, Touched(other, (Read("x", "absent"),), (), writes)), endorsers=PEERS)


def _other_version(random: Random) -> Plan:
    return replace(_good(random), version=random.choice(("0.9", "2.0", "1.0 ")))


_MAKERS = {
    "good": _good,
    "read and write": _read_and_write,
    "wrong read": _wrong_read,
    "range": lambda random: _range(random, None, "as it is"),
    "part of a range": lambda random: _range(random, random.randint(1, 4), "as it is"),
    "wrong range": _other_range,
    "deletion": lambda random: _on(random, writes=((random.choice(PASSING), None), *_writes(random, 1))),
    "two chaincodes": _several,
    "policy of a key": _policy_change,
    "value and policy": _value_and_policy,
    "values and policies of few keys": _same_key_s_policy,
    "badly endorsed": _badly_endorsed,
    "few endorsers": _few_endorsers,
    "chaincode that is not there": _nobody_s_chaincode,
    "namespace that is not there": _nobody_s_namespace,
    "other version": _other_version,
}
_WEIGHTS = {
    "good": 20,
    "read and write": 20,
    "wrong read": 5,
    "range": 8,
    "part of a range": 5,
    "wrong range": 5,
    "deletion": 6,
    "two chaincodes": 5,
    "policy of a key": 2,
    "value and policy": 2,
    "values and policies of few keys": 4,
    "badly endorsed": 6,
    "few endorsers": 3,
    "chaincode that is not there": 2,
    "namespace that is not there": 2,
    "other version": 2,
    "odd": 5,
    "refused": 4,
    "repeated soon": 2,
}

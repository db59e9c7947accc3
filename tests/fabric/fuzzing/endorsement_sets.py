"""Sets of endorsements: who may endorse and who may not, once or many times, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.fabric.random_plans import PEERS, STRANGERS

OTHERS = (
    *STRANGERS,
    "client2",
    "admin1",
    "admin5",
    "orderer1",
    "expired-peer1",
    "expired-client3",
    "expired-foreign-client1",
)


@dataclass(frozen=True)
class EndorsementCase:
    """Who endorses, in this order."""

    seed: int
    endorsers: tuple[str, ...]

    @property
    def name(self) -> str:
        shown = ", ".join(self.endorsers[:12])
        return (
            f"endorsements {self.seed} ({len(self.endorsers)}: {shown}{', ...' * (len(self.endorsers) > 12)})"
        )


def endorsement_case(seed: int, odd: tuple[str, ...] = ()) -> EndorsementCase:
    """Return the case of a seed; `odd` are more who may stand among them. One in twenty has more than 256."""
    random = Random(f"endorsements {seed}")
    good = random.sample(PEERS, random.choices(range(6), (1, 2, 4, 8, 4, 4))[0])
    more = random.choices((*OTHERS, *odd, *good), k=random.choice((0, 0, 1, 2, 3, 5, 10)))
    endorsers = [*good, *more]
    if seed % 20 == 7:
        filler = random.choice((random.choice(OTHERS), random.choice(PEERS)))
        endorsers += [filler] * random.randrange(257, 400)
    if random.random() < 0.8:
        random.shuffle(endorsers)
    return EndorsementCase(seed, tuple(endorsers))

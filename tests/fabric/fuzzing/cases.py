"""Cases: what is fed to both, each named by its kind and seed so that it can be made again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from fabric_protos.msp import identities_pb2
from tests.fabric.fuzzing.certificate_oddities import ODDITIES
from tests.fabric.fuzzing.drafts import Issuer, end_entity
from tests.fabric.fuzzing.keys import Key, make_key

ROLES = ("peer", "client", "admin", "orderer")


@dataclass(frozen=True)
class OddIdentity:
    """Somebody with an odd certificate; signs as Fabric's own nodes do."""

    serialized: bytes
    key: Key

    @property
    def identity(self) -> OddIdentity:
        """Itself: what signs in plans has its serialized form there."""
        return self

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)


@dataclass(frozen=True)
class CertificateCase:
    """An end entity's certificate with one to three oddities."""

    seed: int
    role: str
    oddities: tuple[str, ...]
    holder: OddIdentity

    @property
    def name(self) -> str:
        return f"certificate {self.seed} ({self.role}; {'; '.join(self.oddities)})"


def certificate_case(seed: int, issuer: Issuer, msp_id: str) -> CertificateCase:
    """Return the case of a seed: the first ones have each oddity alone, as a peer's and as a client's certificate."""
    random = Random(f"certificate {seed}")
    names = list(ODDITIES)
    if seed < 2 * len(names):
        role, chosen = ROLES[seed % 2], [names[seed // 2]]
    else:
        role = random.choices(ROLES, (8, 8, 2, 1))[0]
        chosen = random.sample(names, random.choice((1, 2, 2, 3)))
    draft = end_entity(issuer, role, random, make_key(random))
    done = []
    for name in chosen:
        try:
            ODDITIES[name](draft, random)
        except (IndexError, StopIteration, ValueError):
            continue  # another oddity took away what this one changes
        done.append(name)
    holder = OddIdentity(serialized(msp_id, draft.encoded), draft.key)
    return CertificateCase(seed, role, tuple(done), holder)


def serialized(msp_id: str, certificate: bytes) -> bytes:
    """Return a certificate's SerializedIdentity."""
    message = identities_pb2.SerializedIdentity(mspid=msp_id, id_bytes=certificate)
    return bytes(message.SerializeToString())

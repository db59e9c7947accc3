"""A member's witness that stays at an old head of a real log and signs it as it likes: a liar's, or one that is cut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from shirushi_client.witness_client import ServedPolicy, WitnessClient, WitnessError
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.log_evidence import Head
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.trust_policy import cosigner_name
from shirushi_core.proofs.witness_protocol import ProofsAnswer, ProofsRequest
from shirushi_network.witness_keys import load_witness_secrets
from shirushi_node.witness.settings import WitnessKeys
from shirushi_node.witness.signing import sign_head


@dataclass
class FrozenWitness:
    """Takes its proofs from the member's real witness, under the old head, and signs with the member's real keys.

    `signs_at`: the time that it puts on the head now, whatever is true.
    """

    real: WitnessClient
    home: Path
    ledger: str
    checkpoint: Checkpoint
    signs_at: Callable[[], int]

    @property
    def member_id(self) -> str:
        return self.real.member_id

    async def note(self, size: int | None = None, wait: int = 0) -> SignedNote:
        if size not in (None, self.checkpoint.size):
            raise WitnessError(f"{self.member_id} has no head of {size}")
        secrets = load_witness_secrets(self.home)
        keys = WitnessKeys(log=secrets.log, cosigner=secrets.cosigner, bls=secrets.bls)
        name = cosigner_name(self.ledger, self.member_id)
        return sign_head(self.checkpoint, keys, name, self.signs_at()).note

    async def proofs(self, request: ProofsRequest) -> ProofsAnswer:
        answer = await self.real.proofs(replace(request, head=self.checkpoint.size))
        return replace(answer, head=Head(await self.note()))

    async def consistency_path(self, first: int, second: int) -> list[bytes]:
        return await self.real.consistency_path(first, second)

    async def served_policy(self) -> ServedPolicy | None:
        return None

    async def policy(self, version: int) -> bytes | None:
        return None

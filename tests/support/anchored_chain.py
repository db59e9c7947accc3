"""A chain of real blocks that carry anchors: the contract's own transactions, signed and endorsed, each block as wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from fabric_protos.common import common_pb2
from fabric_protos.peer import chaincode_event_pb2
from tests.support.anchors_ledger import CHANNEL, START, IssuingParty, Ledger, Stub, make_record, spki
from tests.support.consortium import BATCH, Consortium, Member
from tests.support.transactions import Endorsed, signed_proposal, transaction

from shirushi_core.fabric.block import new_block, sign_block
from shirushi_core.fabric.channel_config import from_config_block
from shirushi_core.fabric.genesis import genesis_block
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.fabric.lifecycle import definition, state_values
from shirushi_core.fabric.proposal import parse_signed_proposal
from shirushi_core.fabric.rwset import NamespaceRwSet, Write
from shirushi_core.proofs.canonical import encode
from shirushi_core.proofs.issuer import IssuerKey, KeyUse
from shirushi_node.ledger.store import LedgerStore

WINDOW = (START - 1000, START + 1_000_000)


class AnchoredConsortium(Consortium):
    """Five members on the channel that the contract's test ledger is about, each with an admin."""

    def __init__(self) -> None:
        super().__init__(members=[Member.named(number) for number in range(1, 6)])
        bundles = [member.bundle(number) for number, member in enumerate(self.members, start=1)]
        self.genesis = genesis_block(CHANNEL, bundles, BATCH)
        self.admins = [member.ca.issue("admin", name="admin") for member in self.members]


def event_bytes(tx_id: str, payload: bytes, name: str = "anchors") -> bytes:
    """Return a chaincode event."""
    return bytes(
        chaincode_event_pb2.ChaincodeEvent(
            chaincode_id="anchors", tx_id=tx_id, event_name=name, payload=payload
        ).SerializeToString()
    )


@dataclass
class AnchoredChain:
    """Blocks on top of a genesis block, kept in a ledger store as the embedded ledger keeps them."""

    consortium: AnchoredConsortium
    path: Path
    store: LedgerStore = field(init=False)
    contract: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.store = LedgerStore.open(self.path, self.consortium.genesis)
        config = from_config_block(self.consortium.genesis)
        self.contract = Ledger(members=list(config.application_orgs))
        submitter = self.consortium.client
        seal_key = ec.generate_private_key(ec.SECP256R1())
        record = make_record(
            "iizuka",
            submitter.identity.msp_id,
            IssuerKey(KeyUse.SEAL, spki(seal_key), *WINDOW),
            IssuerKey(KeyUse.SUBMIT, spki(submitter.key), *WINDOW),
        )
        self.city = IssuingParty(record, seal_key, submitter)

    @property
    def blocks(self) -> list[Any]:
        """All blocks, from the genesis block on, each a message of its own."""
        return [self.block(number) for number in range(self.store.height)]

    def block(self, number: int) -> Any:
        data = self.store.block_bytes(number)
        assert data is not None
        return common_pb2.Block.FromString(data)

    def close(self) -> None:
        self.store.close()

    async def transaction(
        self, who: SigningIdentity, function: str, argument: Any, *, endorsers: Sequence[int] = (1, 2, 3)
    ) -> tuple[Endorsed, list[NamespaceRwSet]]:
        """Have the contract make a transaction, and members endorse it; it is committed to the contract's state."""
        args = [function.encode(), encode(argument)]
        self.contract.transactions += 1
        proposal = parse_signed_proposal(
            signed_proposal(
                who, channel_id=CHANNEL, chaincode="anchors", args=args, seconds=self.contract.now
            )
        )
        stub = Stub(self.contract, args, proposal.creator, proposal.timestamp_seconds, proposal.tx_id)
        outcome = await self.contract.run(stub)
        assert outcome.response.status == 200, outcome.response.message
        assert self.contract.commit(outcome)
        writes = [Write(key, value) for key, value in stub.writes.items()]
        rw_sets = [NamespaceRwSet("anchors", writes=writes)]
        event = b"" if stub.event is None else event_bytes(proposal.tx_id, stub.event[1], stub.event[0])
        endorsed = transaction(
            who,
            self.consortium.peers(*endorsers),
            rw_sets,
            proposal=proposal,
            event=event,
        )
        return endorsed, rw_sets

    def append(
        self,
        transactions: Sequence[tuple[Endorsed | bytes, Sequence[NamespaceRwSet]]],
        codes: Sequence[int] | None = None,
        *,
        orderers: Sequence[int] = (1, 2, 3, 4),
    ) -> Any:
        """Add a block and return it; the transactions are valid unless codes say something else."""
        codes = list(codes or [0] * len(transactions))
        data = [each if isinstance(each, bytes) else each.data for each, _ in transactions]
        ids = ["" if isinstance(each, bytes) else each.tx_id for each, _ in transactions]
        number = self.store.height
        block = new_block(number, self.store.last_header_hash, data)
        signing = [self.consortium.orderers[n - 1] for n in orderers]
        sign_block(
            block,
            last_config=self.store.last_config_block,
            orderers=[(each.consenter_id, each.identity) for each in signing],
            nonces=[bytes(24)] * len(signing),
        )
        writes = [
            (n, tuple(rw_sets))
            for n, ((_, rw_sets), code) in enumerate(zip(transactions, codes, strict=True))
            if code == 0
        ]
        self.store.commit(block, codes, ids, writes, [(0, 0)] * len(data))
        return self.block(number)

    def define(self, version: str, *, sequence: int = 1) -> Any:
        """Add a block in which the members commit a definition of the chaincode, and return it."""
        values = state_values(definition("anchors", version, sequence, None))
        rw_sets = [NamespaceRwSet("_lifecycle", writes=[Write(*each) for each in values.items()])]
        made = transaction(
            self.consortium.client,
            self.consortium.peers(),
            rw_sets,
            channel_id=CHANNEL,
            chaincode="_lifecycle",
            version="syscc",
        )
        return self.append([(made, rw_sets)])

    async def tick(self) -> Any:
        """Add a block with a tick, and return it."""
        return self.append([await self.transaction(self.consortium.client, "tick", {})])

    async def register(self) -> None:
        """Register the city, with a block for each vote."""
        admins = self.consortium.admins
        record = self.city.record.to_json()
        self.append([await self.transaction(admins[0], "propose_issuer", {"record": record})])
        for admin in admins[1:3]:
            reference = {"proposal_id": self._proposal_id()}
            self.append([await self.transaction(admin, "approve_issuer", reference)])

    async def issue(self, *sizes: int) -> Any:
        """Add a block with a batch for each size, and return it."""
        return self.append(
            [await self.transaction(self.city.submitter, "issue", self.city.issuance(size)) for size in sizes]
        )

    async def issue_batches(self, *names: str) -> Any:
        """Add a block with a small batch for each name, and return it: many batches that cost little."""
        return self.append(
            [
                await self.transaction(
                    self.city.submitter, "issue", self.city.issuance(3, root=sha256(name.encode()).digest())
                )
                for name in names
            ]
        )

    async def revoke(self, size: int, *indexes: int | None, change_id: str, **changes: Any) -> Any:
        """Add a block in which certificates of a batch (None: the batch) get another status."""
        request = self.city.request(
            *(self.city.change(index, size, **changes) for index in indexes), change_id=change_id
        )
        return self.append([await self.transaction(self.city.submitter, "set_status", request)])

    def _proposal_id(self) -> str:
        return next(key for key in self.contract.state if key.startswith("proposal/")).removeprefix(
            "proposal/"
        )

"""An in-memory ledger for the contract: committed state, history, MVCC, and a `_lifecycle` that knows the members."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fabric_protos.peer.lifecycle import lifecycle_pb2
from tests.support.document_types import DOCUMENT_TYPES
from tests.support.throwaway_ca import ThrowawayCa

from shirushi_chaincode.shell import AnchorsChaincode
from shirushi_core.fabric.chaincode import KeyModification, KeyValue, Response
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.proofs import merkle
from shirushi_core.proofs.batch import BatchStatement
from shirushi_core.proofs.canonical import decode_canonical, encode
from shirushi_core.proofs.issuer import IssuerKey, IssuerRecord, IssuerState, KeyUse
from shirushi_core.proofs.seal import make_seal

CHANNEL = "shirushi-test"
MEMBERS = ("ChaintopeMSP", "GcomMSP", "HawMSP", "IizukaMSP", "KaguyaMSP")
START = 1_790_000_000
WINDOW = (START - 1000, START + 1000)


def spki(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Stub:
    """One transaction on a Ledger: reads committed state, collects reads, writes and the event."""

    def __init__(self, ledger: Ledger, args: Sequence[bytes], creator: bytes, at: int, tx_id: str) -> None:
        self.channel_id = CHANNEL
        self.args = args
        self.creator = creator
        self.timestamp = (at, 500_000_000)
        self.tx_id = tx_id
        self.transient: Mapping[str, bytes] = {}
        self.reads: dict[str, int | None] = {}
        self.range_reads: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self.writes: dict[str, bytes | None] = {}
        self.event: tuple[str, bytes] | None = None
        self._ledger = ledger

    async def get_state(self, key: str) -> bytes | None:
        value, version = self._ledger.state.get(key, (None, None))
        self.reads[key] = version
        return value

    async def get_multiple_states(self, keys: Sequence[str]) -> list[bytes | None]:
        return [await self.get_state(key) for key in keys]

    async def put_state(self, key: str, value: bytes) -> None:
        assert value, "an empty value is a deletion"
        self.writes[key] = value

    async def del_state(self, key: str) -> None:
        self.writes[key] = None

    async def get_state_by_range(self, start: str, end: str) -> AsyncIterator[KeyValue]:
        found = self._ledger.range(start, end)
        for key, _ in found:
            yield KeyValue(key, self._ledger.state[key][0])
        self.range_reads[start, end] = found  # run to its end: all of it is checked for phantoms

    async def get_state_by_range_with_pagination(
        self, start: str, end: str, page_size: int, bookmark: str
    ) -> tuple[list[KeyValue], str]:
        keys = sorted(key for key in self._ledger.state if (bookmark or start) <= key < end)
        page = [KeyValue(key, self._ledger.state[key][0]) for key in keys[:page_size]]
        return page, keys[page_size] if len(keys) > page_size else ""

    async def get_history_for_key(self, key: str) -> AsyncIterator[KeyModification]:
        for change in reversed(self._ledger.history.get(key, [])):
            yield change

    async def invoke_chaincode(self, name: str, args: Sequence[bytes], channel: str = "") -> Response:
        if name != "_lifecycle":  # as Fabric's cscc and qscc answer other chaincodes
            return Response(500, f"Rejecting invoke of {name.upper()} from another chaincode")
        query = lifecycle_pb2.QueryChaincodeDefinitionArgs.FromString(args[1])
        assert (args[0], query.name) == (b"QueryChaincodeDefinition", "anchors")
        return self._ledger.lifecycle_answer()

    def set_event(self, name: str, payload: bytes) -> None:
        assert self.event is None, "a transaction has one event"
        self.event = (name, payload)


@dataclass
class Outcome:
    """A transaction that ran, and perhaps committed."""

    stub: Stub
    response: Response

    @property
    def result(self) -> Any:
        """The result of a transaction that must have succeeded."""
        assert self.response.status == 200, self.response.message
        return decode_canonical(self.response.payload, max_bytes=4 << 20)

    @property
    def code(self) -> str:
        """The code of a transaction that must have been refused."""
        assert self.response.status >= 400, self.response.payload
        code, separator, sentence = self.response.message.partition(": ")
        assert separator
        assert sentence
        return code

    @property
    def entries(self) -> list[Any]:
        """The entries of the transaction's event."""
        assert self.stub.event is not None
        name, payload = self.stub.event
        assert name == "anchors"
        value: Any = decode_canonical(payload, max_bytes=4 << 20)
        assert set(value) == {"entries"}
        return list(value["entries"])


@dataclass
class Ledger:
    """Committed state, and the clock of the member that endorses."""

    state: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    history: dict[str, list[KeyModification]] = field(default_factory=dict)
    members: list[str] = field(default_factory=lambda: list(MEMBERS))
    now: int = START
    lifecycle: Response | None = None
    transactions: int = 0

    def lifecycle_answer(self) -> Response:
        definition = lifecycle_pb2.QueryChaincodeDefinitionResult(
            sequence=1, approvals={member: index % 2 == 0 for index, member in enumerate(self.members)}
        )
        return self.lifecycle or Response(200, payload=definition.SerializeToString())

    async def simulate(
        self, who: SigningIdentity | bytes, function: str, argument: Any, *, at: int | None = None
    ) -> Outcome:
        """Endorse a transaction, without committing it."""
        self.transactions += 1
        stub = Stub(
            self,
            args=[function.encode(), argument if isinstance(argument, bytes) else encode(argument)],
            creator=who if isinstance(who, bytes) else who.identity.serialized,
            at=self.now if at is None else at,
            tx_id=sha256(b"%d" % self.transactions).hexdigest(),
        )
        return await self.run(stub)

    async def run(self, stub: Any) -> Outcome:
        chaincode = AnchorsChaincode(clock=lambda: float(self.now))
        return Outcome(stub, await chaincode.invoke(stub))

    def range(self, start: str, end: str) -> list[tuple[str, int]]:
        """Return the keys of a range and their versions, in order."""
        return sorted((key, version) for key, (_, version) in self.state.items() if start <= key < end)

    def commit(self, outcome: Outcome) -> bool:
        """Commit an endorsed transaction, or say that what it read has changed (MVCC or PHANTOM_READ_CONFLICT)."""
        stub = outcome.stub
        if any(self.state.get(key, (b"", None))[1] != version for key, version in stub.reads.items()):
            return False
        if any(self.range(*bounds) != found for bounds, found in stub.range_reads.items()):
            return False
        for key, value in stub.writes.items():
            change = KeyModification(stub.tx_id, stub.timestamp[0], 0, value or b"", value is None)
            self.history.setdefault(key, []).append(change)
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = (value, self.transactions)
        return True

    async def submit(
        self, who: SigningIdentity | bytes, function: str, argument: Any, **options: Any
    ) -> Outcome:
        """Endorse a transaction and, if it was endorsed, commit it."""
        outcome = await self.simulate(who, function, argument, **options)
        if outcome.response.status < 400:
            assert self.commit(outcome)
        return outcome


@dataclass
class IssuingParty:
    """An issuer: its record, its seal key, and the identity that submits for it."""

    record: IssuerRecord
    seal_key: ec.EllipticCurvePrivateKey
    submitter: SigningIdentity

    def statement(self, size: int = 3, **changes: Any) -> BatchStatement:
        values: dict[str, Any] = {
            "ledger": CHANNEL,
            "issuer": self.record.id,
            "document_type": "income-certificate",
            "root": merkle.root(self.commitments(size)),
            "size": size,
            "valid_from": START,
            "valid_until": START + 90 * 86400,
        }
        return BatchStatement(**(values | changes))

    def commitments(self, size: int = 3) -> list[bytes]:
        return [sha256(f"{self.record.id}/{size}/{n}".encode()).digest() for n in range(size)]

    def issuance(self, size: int = 3, **changes: Any) -> dict[str, Any]:
        """Return what `issue` is asked for a batch."""
        statement = self.statement(size, **changes)
        return {"seal": make_seal(statement, self.seal_key).to_json(), "statement": statement.to_json()}

    def change(self, index: int | None = 0, size: int = 3, **changes: Any) -> dict[str, Any]:
        """Return one status change of a certificate, or of the whole batch (index None)."""
        commitments = self.commitments(size)
        path = None if index is None else [h.hex() for h in merkle.inclusion_path(commitments, index)]
        return {
            "batch_id": self.statement(size).batch_id.hex(),
            "commitment": None if index is None else commitments[index].hex(),
            "effective_at": START,
            "index": index,
            "path": path,
            "reason": "issued_in_error",
            "status": "revoked",
            "successor": None,
        } | changes

    def request(self, *changes: dict[str, Any], change_id: str = "change-1") -> dict[str, Any]:
        """Return what `set_status` is asked."""
        return {"change_id": change_id, "changes": list(changes), "issuer": self.record.id}


def make_record(issuer_id: str, msp_id: str, *keys: IssuerKey, **changes: Any) -> IssuerRecord:
    values: dict[str, Any] = {
        "id": issuer_id,
        "msp_id": msp_id,
        "name_ja": "飯塚市",
        "name_en": "Iizuka City",
        "sequence": 1,
        "state": IssuerState.ACTIVE,
        "keys": tuple(sorted(keys, key=lambda key: (key.use, key.key_id))),
        "document_types": DOCUMENT_TYPES,
    }
    return IssuerRecord(**(values | changes))


class Consortium:
    """The members' certificate authorities, their admins and clients, on one ledger."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.authorities = {msp_id: ThrowawayCa.root(msp_id, msp_id) for msp_id in MEMBERS}
        self.admins = {msp_id: ca.issue("admin", name="admin") for msp_id, ca in self.authorities.items()}

    def client(self, msp_id: str, name: str = "client") -> SigningIdentity:
        return self.authorities[msp_id].issue("client", name=name)

    def issuing_party(self, issuer_id: str, msp_id: str) -> IssuingParty:
        """Make an issuer's keys and record, without registering it."""
        submitter = self.client(msp_id)
        seal_key = ec.generate_private_key(ec.SECP256R1())
        record = make_record(
            issuer_id,
            msp_id,
            IssuerKey(KeyUse.SEAL, spki(seal_key), *WINDOW),
            IssuerKey(KeyUse.SUBMIT, spki(submitter.key), *WINDOW),
        )
        return IssuingParty(record, seal_key, submitter)

    async def adopt(self, record: IssuerRecord) -> None:
        """Have a majority of the members propose and approve a record."""
        proposed = await self.ledger.submit(
            self.admins[MEMBERS[0]], "propose_issuer", {"record": record.to_json()}
        )
        reference = {"proposal_id": proposed.result["proposal_id"]}
        for msp_id in MEMBERS[1:3]:
            approved = await self.ledger.submit(self.admins[msp_id], "approve_issuer", reference)
        assert approved.result["state"] == "adopted"

    async def register(self, issuer_id: str, msp_id: str) -> IssuingParty:
        """Make an issuer and have it registered."""
        party = self.issuing_party(issuer_id, msp_id)
        await self.adopt(party.record)
        return party

"""Five members on paper: their keys, their trust policy, and a log whose heads they sign, all in memory.

What a witness answers is made here the way a witness makes it, from `shirushi_core` alone; tests of verifiers and of those who gather
evidence stand on it, without a network.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from shirushi_core.proofs import bls, es256, merkle
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.certificate_status import prove_statuses, record_hash
from shirushi_core.proofs.checkpoint import Checkpoint, cosign, origin_of, sign_as_log
from shirushi_core.proofs.issuer import IssuerKey, IssuerRecord, IssuerState
from shirushi_core.proofs.issuer import KeyUse as IssuerKeyUse
from shirushi_core.proofs.issuer_standing import IssuerStanding, standing_hash, standing_key
from shirushi_core.proofs.log_entry import (
    StatusEntry,
    UnjudgedEntry,
    entry_bytes,
    issuance_entry,
    issuer_entry,
)
from shirushi_core.proofs.log_evidence import (
    CertificateStatuses,
    Head,
    Inclusion,
    LogEvidence,
    RegisteredIssuer,
    StatusEntryProof,
    StatusEvidence,
)
from shirushi_core.proofs.note import SignedNote
from shirushi_core.proofs.policy_update import SignedPolicy
from shirushi_core.proofs.quorum import QuorumCertificate, combine, sign_quorum_statement, sign_share
from shirushi_core.proofs.status import StatusRecord
from shirushi_core.proofs.status_slots import StatusSlots
from shirushi_core.proofs.status_tree import EMPTY, prove
from shirushi_core.proofs.trust_policy import (
    KeyUse,
    PolicyIssuer,
    PolicyKey,
    PolicyMember,
    QuorumRule,
    SealChain,
    TrustPolicy,
    WitnessAddress,
    cosigner_name,
    sorted_keys,
)
from shirushi_core.proofs.unjudged import Mark
from shirushi_core.proofs.window import Window

LEDGER = "shirushi-test"
BEGIN = 1_790_000_000
MEMBERS = ("iizuka", "chaintope", "haw", "kaguya", "gcom")
SEAL_KEY = ec.derive_private_key(0x5EA1, ec.SECP256R1())


@dataclasses.dataclass(frozen=True)
class MemberKeys:
    """A member's secrets, the same in every run."""

    id: str
    ledger: str = LEDGER

    def _seed(self, use: str) -> bytes:
        return sha256(f"{self.id} {use}".encode()).digest()

    @property
    def log(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._seed("log"))

    @property
    def cosigner(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._seed("cosigner"))

    @property
    def bls(self) -> int:
        return bls.key_from_seed(self._seed("bls"))

    @property
    def admin(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(self._seed("admin")[:31], "big"), ec.SECP256R1())

    def policy_member(self, window: Window) -> PolicyMember:
        secret = self.bls
        keys = (
            PolicyKey(KeyUse.LOG, self.log.public_key().public_bytes_raw(), window),
            PolicyKey(KeyUse.COSIGNER, self.cosigner.public_key().public_bytes_raw(), window),
            PolicyKey(KeyUse.BLS, bls.public_key(secret), window, bls.prove_possession(secret)),
            PolicyKey(KeyUse.POLICY, es256.public_key_der(self.admin), window),
        )
        address = WitnessAddress(f"https://{self.id}.example:17057")
        return PolicyMember(self.id, self.id, self.id.title(), window, sorted_keys(keys), address)

    def signatures(self, checkpoint: Checkpoint, at: int) -> SignedNote:
        """The note that this member's witness serves: as the log, as a cosigner, and its share."""
        name = cosigner_name(self.ledger, self.id)
        return SignedNote(
            checkpoint.to_text(),
            (
                sign_as_log(checkpoint, self.log),
                cosign(checkpoint, name, self.cosigner, at),
                sign_share(checkpoint, name, self.bls, at // 60),
            ),
        )


KEYS = {member: MemberKeys(member) for member in MEMBERS}


@lru_cache
def seal_chain(key: ec.EllipticCurvePrivateKey = SEAL_KEY) -> tuple[bytes, bytes]:
    """A seal's certificate and the root above it, in DER."""
    root_key = ec.derive_private_key(0xCA, ec.SECP256R1())
    start = datetime.fromtimestamp(BEGIN, UTC) - timedelta(days=1)

    def certificate(name: str, issuer: str, subject_key: ec.EllipticCurvePrivateKey, *, ca: bool) -> bytes:
        def of(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
        return (
            x509.CertificateBuilder()
            .subject_name(of(name))
            .issuer_name(of(issuer))
            .public_key(subject_key.public_key())
            .serial_number(7)
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(root_key, hashes.SHA256())
            .public_bytes(Encoding.DER)
        )

    return certificate("seal", "root", key, ca=False), certificate("root", "root", root_key, ca=True)


def issuer_record(sequence: int = 1) -> IssuerRecord:
    key = IssuerKey(IssuerKeyUse.SEAL, es256.public_key_der(SEAL_KEY), BEGIN - 1000, BEGIN + 1_000_000_000)
    return IssuerRecord(
        "iizuka-city",
        "IizukaMSP",
        "飯塚市",
        "Iizuka City",
        sequence,
        IssuerState.ACTIVE,
        (key,),
        ("income",),
    )


def trust_policy(members: Sequence[str] = MEMBERS, *, quorum: int = 3, version: int = 1) -> TrustPolicy:
    window = Window(BEGIN - 1000)
    return TrustPolicy(
        ledger=LEDGER,
        version=version,
        issued_at=BEGIN,
        expires_at=None,
        members=tuple(KEYS[member].policy_member(window) for member in members),
        quorums=(QuorumRule(quorum, window),),
        issuers=(PolicyIssuer("iizuka-city", "飯塚市", "Iizuka City", (SealChain(seal_chain(), window),)),),
    )


def signed_policy(policy: TrustPolicy, by: Iterable[str] = MEMBERS) -> SignedPolicy:
    signed = SignedPolicy(policy)
    for member in by:
        signed = signed.signed_by(member, KEYS[member].admin)
    return signed


class PaperStore(dict[bytes, bytes]):
    """Nodes of the status tree and marks, in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[bytes, Mark] = {}

    def put(self, node_hash: bytes, node: bytes) -> None:
        self[node_hash] = node

    def keep_record(self, digest: bytes, data: bytes) -> None:
        """The log keeps its records itself."""

    def keep_mark(self, mark: Mark) -> None:
        self.marks[mark.hash] = mark

    def mark(self, digest: bytes) -> Mark | None:
        return self.marks.get(digest)


class PaperLog:
    """A log in memory: blocks go in, heads and proofs come out; `rules`: the version that it is derived by."""

    def __init__(self, ledger: str = LEDGER, *, rules: int = 2) -> None:
        self.ledger = ledger
        self.rules = rules
        self.entries: list[bytes] = []
        self.nodes = PaperStore()
        self.slots = StatusSlots(self.nodes, EMPTY)
        self.roots: dict[int, bytes] = {}  # status root by size
        self.block = 0
        self.time = BEGIN
        self.records: dict[bytes, StatusRecord | Mark] = {}
        self.issuers: dict[bytes, IssuerRecord | Mark] = {}
        self.anchors: list[IssuanceAnchor] = []

    @property
    def status_root(self) -> bytes:
        return self.slots.root

    def add_block(
        self,
        *,
        anchors: Iterable[IssuanceAnchor] = (),
        records: Iterable[StatusRecord] = (),
        issuers: Iterable[IssuerRecord] = (),
        unjudged: Iterable[str | None] = (),
        time: int | None = None,
    ) -> Checkpoint:
        """Log what a block carries and return the head after it; a block with a time and nothing else carries a tick."""
        self.block += 1
        times = [self.time, *([] if time is None else [time])]
        for issuer in issuers:
            self.entries.append(issuer_entry(issuer))
            if self.rules >= 2:
                self.slots.set_issuer(issuer)
            self.issuers[standing_hash(issuer)] = issuer
        for anchor in anchors:
            times.append(anchor.anchored_at)
            self.anchors.append(anchor)
            self.entries.append(issuance_entry(anchor))
            self.slots.anchored(anchor.statement.batch_id)
        for record in records:
            times.append(record.changed_at)
            self.entries.append(entry_bytes({"kind": "revocation", "record": record.to_json()}))
            self.slots.set_status(record)
            self.records[record_hash(record)] = record
        for key in unjudged:
            self.entries.append(UnjudgedEntry(self.block, 0, key).to_bytes())
            if key is not None:
                self.slots.mark(key, self.block, 0)
        self.records |= self.nodes.marks
        self.issuers |= self.nodes.marks
        self.time = max(times)
        status = StatusEntry(self.block, self.status_root, self.time if self.rules >= 2 else None)
        self.entries.append(status.to_bytes())
        self.roots[len(self.entries)] = self.status_root
        return self.checkpoint()

    def tick(self, time: int) -> None:
        """Let the log know of a time, if it does not know of a later one."""
        if time > self.time:
            self.add_block(time=time)

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = len(self.entries) if size is None else size
        return Checkpoint(origin_of(self.ledger), size, merkle.root(self.entries[:size]))

    def inclusion(self, entry: bytes, size: int | None = None) -> Inclusion:
        entries = self.entries[: len(self.entries) if size is None else size]
        index = entries.index(entry)
        return Inclusion(index, tuple(merkle.inclusion_path(entries, index)))

    def registered(self, record: IssuerRecord, size: int | None = None) -> RegisteredIssuer:
        return RegisteredIssuer(record, self.inclusion(issuer_entry(record), size))

    def status_entry(self, size: int | None = None) -> StatusEntryProof:
        entries = self.entries[: len(self.entries) if size is None else size]
        path = merkle.inclusion_path(entries, len(entries) - 1)
        return StatusEntryProof(StatusEntry.from_bytes(entries[-1]), tuple(path))

    def statuses(self, batch_id: bytes, commitment: bytes, size: int | None = None) -> CertificateStatuses:
        root = self.roots[len(self.entries) if size is None else size]
        proof = prove_statuses(self.nodes, root, batch_id, commitment)
        batch = self.records[proof.record] if proof.record not in (None, EMPTY) else None
        found = proof.certificate.found if proof.certificate is not None else None
        certificate = self.records[found[1]] if found is not None and found[0] == commitment else None
        return CertificateStatuses(proof.to_bytes(batch_id, commitment), batch, certificate)

    def standing(self, issuer_id: str, size: int | None = None) -> IssuerStanding | None:
        """What the status tree says of an issuer; None in a log by version 1 of the rules."""
        if self.rules < 2:
            return None
        key, root = standing_key(issuer_id), self.roots[len(self.entries) if size is None else size]
        proof = prove(self.nodes, root, key)
        found = proof.found[1] if proof.found is not None and proof.found[0] == key else None
        return IssuerStanding(proof.to_bytes(key), None if found is None else self.issuers[found])

    def head(
        self,
        at: int,
        members: Iterable[str] = MEMBERS[:3],
        *,
        size: int | None = None,
        quorum: bool = False,
    ) -> Head:
        """A head that these members cosigned at a time, and with a quorum certificate if asked for."""
        checkpoint = self.checkpoint(size)
        signers = [KEYS[member] for member in sorted(members)]
        note = SignedNote(
            checkpoint.to_text(),
            tuple(
                cosign(checkpoint, cosigner_name(self.ledger, keys.id), keys.cosigner, at) for keys in signers
            ),
        )
        return Head(note, quorum_certificate(checkpoint, signers, at) if quorum else None)

    def log_evidence(self, anchor: IssuanceAnchor, head: Head, issuer: IssuerRecord | None) -> LogEvidence:
        size = head.checkpoint.size
        registered = None if issuer is None else self.registered(issuer, size)
        return LogEvidence(head, self.inclusion(issuance_entry(anchor), size), registered)

    def status_evidence(
        self, batch_id: bytes, commitment: bytes, head: Head | None, size: int, issuer: str = "iizuka-city"
    ) -> StatusEvidence:
        return StatusEvidence(
            head,
            self.status_entry(size),
            self.statuses(batch_id, commitment, size),
            self.standing(issuer, size),
        )


def quorum_certificate(checkpoint: Checkpoint, signers: Sequence[MemberKeys], at: int) -> QuorumCertificate:
    shares = {keys.id: sign_quorum_statement(checkpoint, at // 60, keys.bls) for keys in signers}
    return combine(checkpoint, at // 60, shares, {keys.id: bls.public_key(keys.bls) for keys in signers})

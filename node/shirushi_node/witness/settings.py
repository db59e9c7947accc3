"""What a witness is given: whose it is, its keys, its peer, and the other members' witnesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.identity import SigningIdentity
from shirushi_core.proofs import bls, fields
from shirushi_core.proofs.checkpoint import cosigner_key, log_key, origin_of
from shirushi_core.proofs.note import VerifierKey
from shirushi_core.proofs.quorum import share_key
from shirushi_node.ledger.endpoint import TlsKeyPair


@dataclass(frozen=True, slots=True)
class WitnessKeys:
    """A member's three secrets: of its log (Ed25519), of its cosigner (Ed25519), and for quorum certificates (BLS)."""

    log: Ed25519PrivateKey = field(repr=False)
    cosigner: Ed25519PrivateKey = field(repr=False)
    bls: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class OtherWitness:
    """Another member's witness: its address (https://host:port), its TLS root (PEM), and the key it cosigns with."""

    member_id: str
    url: str
    tls_root: bytes
    cosigner: VerifierKey
    name_en: str


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """One member's witness.

    `identity` is a client identity of the member, by which the peer lets it read blocks; `peer` is host:port, and
    `peer_tls_name` the name in the peer's certificate, None if it is the host. `quorum` is how many members a policy asks for.
    Port 0 takes a free one.
    """

    ledger: str
    member_id: str
    folder: Path
    keys: WitnessKeys
    identity: SigningIdentity
    peer: str
    peer_tls_roots: bytes
    peer_tls_name: str | None
    genesis: bytes
    others: tuple[OtherWitness, ...]
    quorum: int
    host: str
    port: int
    tls: TlsKeyPair

    def __post_init__(self) -> None:
        fields.check_identifier(self.member_id, "witness: member")
        ids = [self.member_id, *(other.member_id for other in self.others)]
        if len(set(ids)) != len(ids):
            raise InvalidInputError(f"witness of {self.member_id}: two witnesses are of the same member")
        fields.check_range(self.quorum, f"witness of {self.member_id}: quorum", 1, len(ids))

    @property
    def origin(self) -> str:
        """The name of the ledger's log."""
        return origin_of(self.ledger)

    @property
    def cosigner_name(self) -> str:
        """The name of the key that this member cosigns with."""
        return f"{self.origin}/{self.member_id}"

    @property
    def log_verifier(self) -> VerifierKey:
        """The key that shows this member's signatures as the log."""
        return log_key(self.origin, self.keys.log.public_key().public_bytes_raw())

    @property
    def cosigner_verifier(self) -> VerifierKey:
        """The key that shows this member's cosignatures."""
        return cosigner_key(self.cosigner_name, self.keys.cosigner.public_key().public_bytes_raw())

    @property
    def share_verifier(self) -> VerifierKey:
        """The key that shows this member's shares of quorum certificates."""
        return share_key(self.cosigner_name, bls.public_key(self.keys.bls))


@dataclass(frozen=True, slots=True)
class WitnessStatus:
    """Where a witness stands.

    `size` counts log entries, `block` and `peer_height` count blocks (None if its peer was not reached yet). `last_cosigned` is
    unix seconds. `refusing` says in a sentence why nothing is signed now, None if all is well; `disagreeing` are the members
    whose signed heads contradict this log. `version` is that of the rules in force, `time` the ledger's by the newest head.
    `trouble` is what keeps blocks from being taken in now, `ticking` why ticks do not go through; `alarms` counts what was noticed
    about the peer's blocks.
    """

    running: bool
    size: int
    block: int
    peer_height: int | None
    last_cosigned: int | None
    refusing: str | None
    disagreeing: tuple[str, ...]
    version: int = 1
    time: int | None = None
    trouble: str | None = None
    ticking: str | None = None
    alarms: Mapping[str, int] = field(default_factory=dict)

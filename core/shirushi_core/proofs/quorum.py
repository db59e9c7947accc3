"""The quorum certificate: one BLS signature of several members over one identical statement about the log.

A cosignature holds its own time, so no two members sign the same bytes. For one aggregate they all sign this statement, which
names the minute and nothing of the member:

    shirushi/quorum/v1
    <origin>
    <size>
    <base64 root>
    <unix minute>

A member's share travels as a line of its note: signature type 0xff with the identifier "shirushi/quorum/v1" before the public
key, the signature being the minute (8 bytes, big-endian) and the 96 bytes. Members are told apart by their keys in the trust policy, and counted once each.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls, fields
from shirushi_core.proofs.canonical import Json
from shirushi_core.proofs.checkpoint import Checkpoint
from shirushi_core.proofs.note import UNASSIGNED, NoteError, NoteSignature, VerifierKey

MAX_SIGNERS = 64
SECONDS = 60

MINUTE_BYTES = 8

_DOMAIN = "shirushi/quorum/v1"
_FIELDS = frozenset({"minute", "signature", "signers"})


@dataclass(frozen=True, slots=True)
class QuorumCertificate:
    """An aggregate signature, the minute it is about (unix seconds / 60), and whose signatures are in it."""

    minute: int
    signers: tuple[str, ...]  # member ids, sorted
    signature: bytes

    def __post_init__(self) -> None:
        fields.check_range(self.minute, "quorum certificate: minute", 0, fields.MAX_UNIX_SECONDS // SECONDS)
        if not 1 <= len(self.signers) <= MAX_SIGNERS or list(self.signers) != sorted(set(self.signers)):
            raise InvalidInputError(
                f"quorum certificate: signers: expected 1 to {MAX_SIGNERS} members in order, each once"
            )
        if len(self.signature) != bls.SIGNATURE_BYTES:
            raise InvalidInputError(
                f"quorum certificate: expected a signature of {bls.SIGNATURE_BYTES} bytes, found {len(self.signature)}"
            )

    def to_json(self) -> dict[str, Json]:
        """Return {"minute": unix minute, "signature": hex, "signers": [member id]}."""
        return {"minute": self.minute, "signature": self.signature.hex(), "signers": list(self.signers)}

    @classmethod
    def from_json(cls, value: Json) -> QuorumCertificate:
        """Parse strictly; raises InvalidInputError."""
        what = "quorum certificate"
        members = fields.an_object(value, what, _FIELDS)
        signers = fields.an_array(members["signers"], f"{what}: signers", 1, MAX_SIGNERS)
        return cls(
            minute=fields.an_integer(members["minute"], f"{what}: minute"),
            signers=tuple(fields.a_text(signer, f"{what}: signer") for signer in signers),
            signature=fields.hex_bytes(members["signature"], f"{what}: signature", high=bls.SIGNATURE_BYTES),
        )

    @property
    def time(self) -> int:
        """The beginning of the minute, in unix seconds."""
        return self.minute * SECONDS


def quorum_statement(checkpoint: Checkpoint, minute: int) -> bytes:
    """Return the bytes that members sign about a checkpoint and a minute."""
    fields.check_range(minute, "quorum statement: minute", 0, fields.MAX_UNIX_SECONDS // SECONDS)
    root = base64.b64encode(checkpoint.root).decode()
    return f"{_DOMAIN}\n{checkpoint.origin}\n{checkpoint.size}\n{root}\n{minute}\n".encode()


def sign_quorum_statement(checkpoint: Checkpoint, minute: int, secret: int) -> bytes:
    """Return one member's share of a quorum certificate."""
    return bls.sign(secret, quorum_statement(checkpoint, minute))


def share_key(name: str, public_key: bytes) -> VerifierKey:
    """Return the verifier key by which a member's share stands in its note; the name is its cosigner's."""
    return VerifierKey(name, UNASSIGNED, _DOMAIN.encode() + public_key)


def sign_share(checkpoint: Checkpoint, name: str, secret: int, minute: int) -> NoteSignature:
    """Sign the quorum statement, as a line of a member's note."""
    signature = minute.to_bytes(MINUTE_BYTES, "big") + sign_quorum_statement(checkpoint, minute, secret)
    return NoteSignature(name, share_key(name, bls.public_key(secret)).key_id, signature)


def read_share(signature: NoteSignature, key: VerifierKey) -> tuple[int, bytes]:
    """Return the minute and the BLS signature of a share by a key; raises NoteError. That it holds, `combine` checks."""
    if not signature.is_by(key) or len(signature.signature) != MINUTE_BYTES + bls.SIGNATURE_BYTES:
        raise NoteError(f"expected a share of {key.name}, found other bytes of {signature.name}")
    return int.from_bytes(signature.signature[:MINUTE_BYTES], "big"), signature.signature[MINUTE_BYTES:]


def combine(
    checkpoint: Checkpoint, minute: int, shares: Mapping[str, bytes], keys: Mapping[str, bytes]
) -> QuorumCertificate:
    """Return the certificate of the members' shares that hold; one that does not is left out.

    `shares` and `keys` are by member id; the keys' possession is proved. Raises BlsError if no share holds.
    """
    statement, good = quorum_statement(checkpoint, minute), {}
    for member in sorted(shares):
        try:
            bls.verify(keys[member], statement, shares[member])
        except (bls.BlsError, KeyError):
            continue
        good[member] = shares[member]
    return QuorumCertificate(minute, tuple(good), bls.aggregate(list(good.values())))


def verify_quorum_certificate(
    certificate: QuorumCertificate, checkpoint: Checkpoint, keys: Mapping[str, bytes]
) -> Sequence[str]:
    """Return the distinct members who signed, by ids; raises BlsError.

    `keys` are the members' BLS keys at the certificate's time, by member id, their possession proved. Whether the members
    are enough is for the trust policy to say.
    """
    unknown = [member for member in certificate.signers if member not in keys]
    if unknown:
        raise bls.BlsError(f"quorum certificate: no BLS key of {', '.join(unknown)} is in the trust policy")
    statement = quorum_statement(checkpoint, certificate.minute)
    bls.verify_aggregate([keys[member] for member in certificate.signers], statement, certificate.signature)
    return certificate.signers

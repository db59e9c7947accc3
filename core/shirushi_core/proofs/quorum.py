"""The quorum certificate: one BLS signature of several members over one identical statement about the log.

A cosignature holds its own time, so no two members sign the same bytes. For one aggregate they all sign this statement, which
names the minute and nothing of the member:

    shirushi/quorum/v1
    <origin>
    <size>
    <base64 root>
    <unix minute>

Members are told apart by their keys in the trust policy, and counted once each.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shirushi_core.errors import InvalidInputError
from shirushi_core.proofs import bls, fields
from shirushi_core.proofs.checkpoint import Checkpoint

MAX_SIGNERS = 64
SECONDS = 60

_DOMAIN = "shirushi/quorum/v1"


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

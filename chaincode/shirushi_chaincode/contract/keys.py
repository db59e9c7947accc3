"""Where the contract keeps what: one key per anchor, so that anchors never conflict with each other.

Ids and MSP ids hold no "/", so a key names one thing only; "0" is the character after "/", and ends a range. The keys of
ticks are in shirushi_core.proofs.epoch.
"""

from __future__ import annotations

ISSUERS = ("issuer/", "issuer0")
PROPOSALS = ("proposal/", "proposal0")


def batch(batch_id: bytes) -> str:
    """Return the key of a batch's issuance anchor."""
    return f"batch/{batch_id.hex()}"


def issued(issuer: str, anchored_at: int, batch_id: bytes) -> str:
    """Return the key that lists a batch under its issuer, in the order of time."""
    return f"issued/{issuer}/{anchored_at:012d}/{batch_id.hex()}"


def issued_by(issuer: str) -> tuple[str, str]:
    """Return the range of an issuer's batches."""
    return f"issued/{issuer}/", f"issued/{issuer}0"


def batch_id_of(issued_key: str) -> bytes:
    """Return the batch id that an `issued` key ends with."""
    return bytes.fromhex(issued_key.rpartition("/")[2])


def status(batch_id: bytes, commitment: bytes | None) -> str:
    """Return the key of the status of a certificate, or of a whole batch (None)."""
    return f"status/{batch_id.hex()}/{'batch' if commitment is None else commitment.hex()}"


def change(issuer: str, change_id: str) -> str:
    """Return the key of an issuer's status change; change ids of different issuers never meet."""
    return f"change/{issuer}/{change_id}"


def issuer(issuer_id: str) -> str:
    """Return the key of an issuer's record."""
    return f"issuer/{issuer_id}"


def proposal(proposal_id: bytes) -> str:
    """Return the key of a proposal to register or change an issuer."""
    return f"proposal/{proposal_id.hex()}"


def approval(proposal_id: bytes, msp_id: str) -> str:
    """Return the key of a member's approval of a proposal."""
    return f"approval/{proposal_id.hex()}/{msp_id}"

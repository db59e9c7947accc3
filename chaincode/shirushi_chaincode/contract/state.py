"""Reading and writing typed records in the ledger's state, and the event that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from shirushi_chaincode.contract import keys
from shirushi_chaincode.contract.errors import Code, ContractError
from shirushi_core.fabric.chaincode import Stub
from shirushi_core.proofs.anchor import IssuanceAnchor
from shirushi_core.proofs.canonical import Json, decode_canonical, encode
from shirushi_core.proofs.issuer import IssuerRecord
from shirushi_core.proofs.status import StatusRecord

EVENT = "anchors"
MAX_VALUE_BYTES = 4 << 20
"""The largest value there is: the result of a thousand status changes takes about half a megabyte."""


def transaction_time(stub: Stub) -> int:
    """Return the transaction's own time in unix seconds: the only time the rules know."""
    return stub.timestamp[0]


def read(value: bytes) -> Json:
    """Parse a value that the contract wrote."""
    return decode_canonical(value, max_bytes=MAX_VALUE_BYTES)


async def find_anchor(stub: Stub, batch_id: bytes) -> IssuanceAnchor | None:
    """Return a batch's issuance anchor, if there is one."""
    value = await stub.get_state(keys.batch(batch_id))
    return None if value is None else IssuanceAnchor.from_json(read(value))


async def get_anchor(stub: Stub, batch_id: bytes) -> IssuanceAnchor:
    """Return a batch's issuance anchor; raises ContractError BATCH_NOT_FOUND."""
    anchor = await find_anchor(stub, batch_id)
    if anchor is None:
        raise batch_not_found(batch_id)
    return anchor


async def find_anchors(stub: Stub, batch_ids: Sequence[bytes]) -> dict[bytes, IssuanceAnchor]:
    """Return the issuance anchors that there are for these batches."""
    values = await stub.get_multiple_states([keys.batch(batch_id) for batch_id in batch_ids])
    found = zip(batch_ids, values, strict=True)
    return {key: IssuanceAnchor.from_json(read(value)) for key, value in found if value is not None}


async def find_issuer(stub: Stub, issuer_id: str) -> IssuerRecord | None:
    """Return an issuer's record, if there is one."""
    value = await stub.get_state(keys.issuer(issuer_id))
    return None if value is None else read_issuer(value)


# Every issuance reads the same few records, and parsing their keys is what takes long.
@lru_cache(maxsize=256)
def read_issuer(value: bytes) -> IssuerRecord:
    """Parse an issuer's record that the contract wrote."""
    return IssuerRecord.from_json(read(value))


async def get_issuer(stub: Stub, issuer_id: str) -> IssuerRecord:
    """Return an issuer's record; raises ContractError ISSUER_NOT_FOUND."""
    record = await find_issuer(stub, issuer_id)
    if record is None:
        raise ContractError(
            Code.ISSUER_NOT_FOUND, f"no issuer {issuer_id} is registered; list_issuers names those that are"
        )
    return record


async def find_statuses(
    stub: Stub, targets: Sequence[tuple[bytes, bytes | None]]
) -> list[StatusRecord | None]:
    """Return the status record, if any, of each (batch id, commitment or None)."""
    values = await stub.get_multiple_states([keys.status(*target) for target in targets])
    return [None if value is None else StatusRecord.from_json(read(value)) for value in values]


def batch_not_found(batch_id: bytes) -> ContractError:
    """Return the error for a batch that was never anchored."""
    return ContractError(Code.BATCH_NOT_FOUND, f"no batch {batch_id.hex()} is anchored on this ledger")


def emit(stub: Stub, entries: Sequence[Json]) -> None:
    """Set the transaction's one event: {"entries": [...]}, what the members' log is derived from."""
    stub.set_event(EVENT, encode({"entries": entries}))

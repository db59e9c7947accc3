"""The version of the rules that a log is derived by: the major number of the version in the chaincode's committed definition.

A definition holds from the block that commits it. Before there is one, and on ledgers from before there were versions, it is 1.
Source: core/chaincode/lifecycle/{lifecycle,serializer}.go (namespaces/fields/<name>/EndorsementInfo), peer/lifecycle/*.proto.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from shirushi_core.fabric.committed import CommittedWrites
from shirushi_core.fabric.wire import Field, Kind, Message, WireError, read
from shirushi_node.witness.errors import UnknownRulesError

LIFECYCLE = "_lifecycle"
MAX_SHOWN = 64
"""Characters of a version that are remembered, to be shown."""

CHAINCODE = "anchors"
WITHOUT_TIME, WITH_TIME = 1, 2
KNOWN = (WITHOUT_TIME, WITH_TIME)
"""1: status entries without time. 2: time in status entries, ticks, and issuers in the status tree."""

_ENDORSEMENT_INFO_KEY = f"namespaces/fields/{CHAINCODE}/EndorsementInfo"
_ONE_OF = (1, 2, 3)
_STATE_DATA: Message = {
    1: Field(Kind.INT64, oneof=_ONE_OF),
    2: Field(Kind.BYTES, oneof=_ONE_OF),
    3: Field(Kind.STRING, oneof=_ONE_OF),
}
_ENDORSEMENT_INFO: Message = {1: Field(Kind.STRING), 2: Field(Kind.BOOL), 3: Field(Kind.STRING)}
_VERSION = re.compile(r"([1-9][0-9]{0,5})(?![0-9]).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force: their number, None for a version that has none."""

    number: int | None = WITHOUT_TIME
    version: str = ""

    def after(self, version: str) -> Rules:
        """Return the rules after a definition of this version: they never go back to a lower number."""
        found = _VERSION.fullmatch(version)
        following = Rules(None if found is None else int(found[1]), version[:MAX_SHOWN])
        is_lower = following.number is not None and self.number is not None and following.number < self.number
        return self if is_lower else following

    def require_known(self, block: int) -> None:
        """Raise UnknownRulesError if this program does not know them."""
        if self.number not in KNOWN:
            raise UnknownRulesError(
                f"block {block} commits version {self.version!a} of the chaincode {CHAINCODE}, and logs are derived by the "
                f"rules of that version from there on: this program knows the rules of versions {KNOWN[0]} to {KNOWN[-1]}. Update "
                "it; it goes on from this block"
            )


def committed_version(written: Iterable[CommittedWrites]) -> str | None:
    """Return the version that a transaction's writes to the lifecycle's state give the chaincode, None if they give none.

    A value that cannot be read, and a deletion, give the version "", which is no version.
    """
    found = None
    for writes in written:
        for key, value in writes.writes:
            if key == _ENDORSEMENT_INFO_KEY:
                found = _version(value)
    return found


def _version(value: bytes | None) -> str:
    try:
        info = read(_ENDORSEMENT_INFO, read(_STATE_DATA, value or b"").get(2, b""))
    except WireError:
        return ""
    version: str = info.get(1, "")
    return version

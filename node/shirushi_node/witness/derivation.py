"""From a block as the peer delivered it to what it says about the log: a pure function of its bytes, and the same at every member.

A peer's word which transactions are valid is taken; nothing of certificates, signatures, endorsements or configuration is looked at
here, so no two judgements of them can make two logs. Checking them is for alarms (block_check.py). What depends on the log before,
log_writer.py decides. Source: docs/formats/derivation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from shirushi_core.fabric.committed import (
    CONFIG,
    CommittedBlock,
    CommittedTransaction,
    read_transaction,
)
from shirushi_core.fabric.wire import WireError
from shirushi_node.witness.contract_output import Made, Unjudged, read_output
from shirushi_node.witness.rules import CHAINCODE, LIFECYCLE, Rules, committed_version

_NAMESPACES = frozenset({CHAINCODE, LIFECYCLE})


@dataclass(frozen=True, slots=True)
class Derived:
    """What a block says: in which order it makes and marks what, and which rules hold from it on.

    `brings_config`: whether it has a configuration, which is of no concern to the log.
    """

    block: int
    rules: Rules
    outputs: tuple[Made | Unjudged, ...] = ()
    brings_config: bool = False


def derive(block: CommittedBlock, ledger: str, rules: Rules) -> Derived:
    """Return what a block says, given the rules in force before it; raises UnknownRulesError if it brings unknown ones."""
    outputs: list[Unjudged] = []
    readable: list[tuple[int, CommittedTransaction]] = []
    brings_config = False
    for number, data in enumerate(block.transactions):
        if not block.is_valid(number):
            continue
        try:
            transaction = read_transaction(data, _NAMESPACES)
        except WireError as error:
            outputs.append(Unjudged(number, (), str(error)))
            continue
        brings_config = brings_config or transaction.type == CONFIG
        if transaction.written or transaction.event is not None:
            readable.append((number, transaction))
    for _, transaction in readable:
        version = committed_version(transaction.in_namespace(LIFECYCLE))
        if version is not None:
            rules = rules.after(version)
    rules.require_known(block.number)
    assert rules.number is not None  # noqa: S101 - a known version has a number
    found: list[Made | Unjudged] = [*outputs]
    for number, transaction in readable:
        output = read_output(number, transaction, ledger, rules.number)
        if output is not None:
            found.append(output)
    return Derived(block.number, rules, tuple(sorted(found, key=lambda each: each.number)), brings_config)

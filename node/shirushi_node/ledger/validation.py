"""Which transactions of a block are valid: pure decisions, in Fabric's order and with Fabric's codes.

Source: core/committer/txvalidator/v20 (validator.go, plugindispatcher/dispatcher.go), core/handlers/validation/builtin/
v20, core/common/validation/statebased, core/ledger/kvledger/txmgmt/validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from fabric_protos.peer import transaction_pb2

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.channel_config import ChannelConfig
from shirushi_core.fabric.envelope import EndorserTransaction
from shirushi_core.fabric.msp import ValidIdentity
from shirushi_core.fabric.policy import Policy, PolicyError, application_policy, signature_policy
from shirushi_core.fabric.rwset import NamespaceRwSet, Version
from shirushi_node.ledger.definitions import ChaincodeDefinition, find_definition
from shirushi_node.ledger.examination import VALID, Examined
from shirushi_node.ledger.mvcc import read_conflict
from shirushi_node.ledger.records import state_key
from shirushi_node.ledger.simulator import VALIDATION_PARAMETER
from shirushi_node.ledger.state_changes import CommittedState, StateChanges

DEFAULT_ENDORSEMENT = "/Channel/Application/Endorsement"
"""The policy of a chaincode whose definition names none."""

CACHED_POLICIES = 1024
"""Compiled endorsement policies kept."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One transaction's validation code, and what it writes if it is valid."""

    code: int
    rw_sets: tuple[NamespaceRwSet, ...] = ()


class Validator:
    """Decides over the transactions of one channel's blocks."""

    def __init__(self, config: ChannelConfig, definitions: Mapping[str, ChaincodeDefinition]) -> None:
        self._config = config
        self._definitions = definitions
        self._application_policy = lru_cache(CACHED_POLICIES)(
            lambda data: application_policy(data, config.msps, config.policies)
        )
        self._key_policy = lru_cache(CACHED_POLICIES)(lambda data: signature_policy(data, config.msps))

    def check_definitions(self) -> None:
        """Compile the endorsement policy of every chaincode; raises InvalidInputError naming the chaincode."""
        for name, definition in self._definitions.items():
            try:
                self._policy(definition)
            except (InvalidInputError, PolicyError) as error:
                raise InvalidInputError(f"endorsement policy of chaincode {name}: {error}") from None

    def decide(
        self,
        number: int,
        examined: Sequence[Examined],
        state: CommittedState,
        is_committed: Callable[[str], bool],
    ) -> list[Decision]:
        """Decide over a block's transactions, in order, on the state committed before it.

        `is_committed` says whether a transaction id is in the ledger already.
        """
        codes = self._judge(examined, state, is_committed)
        changes = StateChanges(state)
        decisions = []
        for tx, (each, code) in enumerate(zip(examined, codes, strict=True)):
            rw_sets = each.transaction.rw_sets if code == VALID and each.transaction else ()
            if not _can_be_stored(rw_sets):
                code = transaction_pb2.INVALID_WRITESET
            else:
                code = code if code != VALID else read_conflict(rw_sets, changes)
            if code == VALID:
                changes.apply(Version(number, tx), rw_sets)
            decisions.append(Decision(code, rw_sets if code == VALID else ()))
        return decisions

    def _judge(
        self,
        examined: Sequence[Examined],
        state: CommittedState,
        is_committed: Callable[[str], bool],
    ) -> list[int]:
        """Return each transaction's code before its reads are looked at."""
        codes = []
        seen: set[str] = set()
        policies_changed: set[tuple[str, str]] = set()
        for each in examined:
            code = self._judge_one(each, state, is_committed, policies_changed)
            if code == VALID and each.transaction is not None:
                policies_changed.update(_policy_writes(each.transaction))
                if each.transaction.header.tx_id in seen:
                    code = transaction_pb2.DUPLICATE_TXID
                seen.add(each.transaction.header.tx_id)
            codes.append(code)
        return codes

    def _judge_one(
        self,
        examined: Examined,
        state: CommittedState,
        is_committed: Callable[[str], bool],
        policies_changed: set[tuple[str, str]],
    ) -> int:
        if examined.form != VALID or examined.header is None:
            return examined.form
        if examined.transaction is None and examined.content == VALID:
            return VALID  # a configuration
        if is_committed(examined.header.tx_id):
            return int(transaction_pb2.DUPLICATE_TXID)
        if examined.transaction is None:
            return examined.content
        transaction = examined.transaction
        for namespace in _written_namespaces(transaction):
            definition = find_definition(namespace, self._definitions)
            if definition is None:
                return int(transaction_pb2.INVALID_CHAINCODE)
            try:
                self._check_endorsements(definition, transaction, examined.signers, state, policies_changed)
            except (PolicyError, InvalidInputError):
                return int(transaction_pb2.ENDORSEMENT_POLICY_FAILURE)
        return VALID

    def _check_endorsements(
        self,
        definition: ChaincodeDefinition,
        transaction: EndorserTransaction,
        signers: Sequence[ValidIdentity],
        state: CommittedState,
        policies_changed: set[tuple[str, str]],
    ) -> None:
        """Check a namespace's policies: each written key's own, and the chaincode's for keys that have none.

        A key whose policy an earlier transaction of the block changed cannot be judged yet: the write fails. Without any
        write the chaincode's policy counts. Raises PolicyError, or InvalidInputError for a key's malformed policy.
        """
        chaincode_policy_needed = True
        chaincode_policy_held = False
        for key in _written_keys(transaction, definition.name):
            if (definition.name, key) in policies_changed:
                raise PolicyError(
                    f"validation parameters for key {key!r} have been changed in the same block"
                )
            committed = state.get(definition.name, key)
            own = committed.metadata.get(VALIDATION_PARAMETER) if committed else None
            if own:
                self._key_policy(own).evaluate(signers)
            elif not chaincode_policy_held:
                self._policy(definition).evaluate(signers)
                chaincode_policy_held = True
            chaincode_policy_needed = False
        if chaincode_policy_needed:
            self._policy(definition).evaluate(signers)

    def _policy(self, definition: ChaincodeDefinition) -> Policy:
        if definition.endorsement_policy is None:
            return self._config.policies.get(DEFAULT_ENDORSEMENT)
        return self._application_policy(definition.endorsement_policy)


def _written_namespaces(transaction: EndorserTransaction) -> Iterator[str]:
    """Yield the invoked chaincode, and the others written to."""
    yield transaction.chaincode_name
    for rw_set in transaction.rw_sets:
        if rw_set.namespace != transaction.chaincode_name and (rw_set.writes or rw_set.metadata_writes):
            yield rw_set.namespace


def _written_keys(transaction: EndorserTransaction, namespace: str) -> Iterator[str]:
    for rw_set in transaction.rw_sets:
        if rw_set.namespace == namespace:
            yield from (write.key for write in rw_set.writes)
            yield from rw_set.metadata_writes


def _policy_writes(transaction: EndorserTransaction) -> Iterator[tuple[str, str]]:
    for rw_set in transaction.rw_sets:
        for key in rw_set.metadata_writes:
            yield rw_set.namespace, key


def _can_be_stored(rw_sets: Sequence[NamespaceRwSet]) -> bool:
    """Say whether every key fits the store, and nothing is in private data collections: this ledger has none."""
    return not any(rw_set.collections for rw_set in rw_sets) and all(
        state_key(rw_set.namespace, key) is not None
        for rw_set in rw_sets
        for key in (*(write.key for write in rw_set.writes), *rw_set.metadata_writes)
    )

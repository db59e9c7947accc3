"""Whether a block is the next one of the channel, and its transactions are what members endorsed: pure checks, for alarms only.

Orderers sign headers, and with them the data; which transactions are valid is the peer's own word, and the commit hash is the
peer's running total of it. A peer whose validation went another way than it says is found out here, and so is one that is fed
by somebody else than the orderers. Nothing that is found changes what the log is derived to be.

Each check stands alone: whatever happens in one, a library's refusal or a lack of memory, is an alarm that it was not made.

Source: protoutil/blockutils.go (VerifyTransactionsAreWellFormed), orderer/common/cluster (BlockVerifierAssembler),
core/ledger/kvledger/kv_ledger.go (addBlockCommitHash), core/handlers/validation/builtin/v20 (endorsements).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from fabric_protos.common import common_pb2
from fabric_protos.peer import transaction_pb2

from shirushi_core.errors import InvalidInputError, ShirushiError
from shirushi_core.fabric.block import (
    BlockError,
    bft_quorum,
    commit_hash,
    data_hash,
    last_config_index,
    verify_block_signatures,
)
from shirushi_core.fabric.channel_config import ChannelConfig, from_config_block
from shirushi_core.fabric.committed import CommittedBlock
from shirushi_core.fabric.envelope import (
    EndorserTransaction,
    OpenEnvelope,
    endorsed_action,
    open_envelope,
    read_transaction,
)
from shirushi_core.fabric.policy import SignedData, valid_signers
from shirushi_core.fabric.rwset import NamespaceRwSet, Version, decode_writes
from shirushi_core.fabric.state_updates import update_bytes
from shirushi_node.ledger.clock import IGNORING_EXPIRY
from shirushi_node.witness.alarms import Alarm, AlarmKind
from shirushi_node.witness.records import Place
from shirushi_node.witness.rules import CHAINCODE

ENDORSEMENT_POLICY = "/Channel/Application/Endorsement"

_KNOWN_CODES = frozenset(transaction_pb2.TxValidationCode.values())


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration in force: the digest of the block that brought it, and None in place of one that cannot be read."""

    digest: bytes
    config: ChannelConfig | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Transaction:
    number: int
    envelope: OpenEnvelope
    endorsed: EndorserTransaction | None  # None for a configuration


def read_configuration(block: bytes) -> Configuration:
    """Read the configuration that a block brings; what cannot be read, for whatever reason, is none."""
    digest = sha256(block).digest()
    try:
        return Configuration(digest, from_config_block(common_pb2.Block.FromString(block)))
    except BaseException as error:
        return Configuration(digest, None, _said(error))


def check_block(block: CommittedBlock, place: Place, configuration: Configuration) -> tuple[Alarm, ...]:
    """Return what is to be said about the next block; `place` and `configuration` are those before it.

    Not checked is what needs a configuration that cannot be read; that it cannot was said when it came. The commit hash is not
    checked where it cannot be computed without the state or private data: if a valid transaction writes only the metadata of a
    key (its value is part of the hash), or touches a private data collection.
    """
    alarms: list[Alarm] = []

    def check(kind: AlarmKind, work: Callable[[], None]) -> None:
        try:
            work()
        except (BlockError, _FoundError) as error:
            alarms.append(Alarm(kind, block.number, str(error)))
        except BaseException as error:
            sentence = f"{kind} could not be checked: {_said(error)}"
            alarms.append(Alarm(AlarmKind.NOT_CHECKED, block.number, sentence))

    config = configuration.config
    transactions: list[_Transaction] = []
    check(AlarmKind.HASH_CHAIN, partial(_check_previous, block, place))
    check(AlarmKind.DATA_HASH, partial(_check_data, block))
    check(AlarmKind.VALIDATION_CODES, partial(_check_codes, block))
    check(AlarmKind.VALIDATION_CODES, lambda: transactions.extend(_valid_transactions(block)))
    if config is not None:
        check(AlarmKind.ORDERERS, partial(_check_orderers, block, config))
    check(AlarmKind.COMMIT_HASH, partial(_check_commit_hash, block, place, transactions))
    for each in transactions:
        if each.endorsed is None:
            check(AlarmKind.CONFIGURATION, partial(_check_configuration, block, config))
        elif config is not None and _is_about_contract(each.endorsed):
            check(AlarmKind.CREATOR, partial(_check_creator, each, config))
            check(AlarmKind.ENDORSEMENTS, partial(_check_endorsements, each.endorsed, config))
    if not alarms or len(transactions) == sum(map(block.is_valid, range(len(block.transactions)))):
        check(AlarmKind.ORDERERS, partial(_check_newest_config, block, place, transactions))
    return tuple(alarms)


class _FoundError(ShirushiError):
    """What an alarm is to be raised for."""


def _check_previous(block: CommittedBlock, place: Place) -> None:
    if block.previous_hash != place.header_hash:
        raise _FoundError(
            f"expected the previous block's hash {place.header_hash.hex()}, found {block.previous_hash.hex()[:128]}"
        )


def _check_data(block: CommittedBlock) -> None:
    computed = data_hash(block.transactions)
    if block.data_hash != computed:
        raise _FoundError(
            f"expected the data hash {computed.hex()} by its data, found {block.data_hash.hex()[:128]}"
        )


def _check_codes(block: CommittedBlock) -> None:
    codes, count = block.codes, len(block.transactions)
    if len(codes) != count:
        raise _FoundError(f"it has {count} transactions and {len(codes)} validation codes")
    unknown = [code for code in codes if code not in _KNOWN_CODES or code == transaction_pb2.NOT_VALIDATED]
    if unknown:
        raise _FoundError(f"expected a validation code for each transaction, found {unknown[0]}")


def _check_orderers(block: CommittedBlock, config: ChannelConfig) -> None:
    consenters = config.consenters
    if not consenters:
        raise _FoundError("the channel's configuration names no consenters")
    verify_block_signatures(common_pb2.Block.FromString(block.data), consenters, bft_quorum(len(consenters)))


def _check_newest_config(block: CommittedBlock, place: Place, transactions: Sequence[_Transaction]) -> None:
    brings = any(each.endorsed is None for each in transactions)
    newest = block.number if brings else place.config_block
    named = last_config_index(common_pb2.Block.FromString(block.data))
    if named != newest:
        raise _FoundError(f"expected block {newest} as the newest config block, the orderers name {named}")


def _valid_transactions(block: CommittedBlock) -> list[_Transaction]:
    found = []
    for number, data in enumerate(block.transactions):
        if block.is_valid(number):
            envelope = open_envelope(common_pb2.Envelope.FromString(data))
            found.append(_Transaction(number, envelope, _endorsed(envelope)))
    return found


def _endorsed(envelope: OpenEnvelope) -> EndorserTransaction | None:
    if envelope.header.type != common_pb2.ENDORSER_TRANSACTION:
        return None
    return read_transaction(endorsed_action(envelope), decode_results=decode_writes)


def _check_configuration(block: CommittedBlock, before: ChannelConfig | None) -> None:
    after = read_configuration(block.data)
    if after.config is None:
        raise _FoundError(
            "this program cannot read its configuration, so orderers and endorsements are not checked until it can read "
            f"one again: {after.problem}"
        )
    if before is None:
        return
    if (after.config.channel_id, after.config.sequence) != (before.channel_id, before.sequence + 1):
        raise _FoundError(
            f"expected configuration {before.sequence + 1} of channel {before.channel_id}, found "
            f"{after.config.sequence} of {after.config.channel_id}"
        )


def _check_commit_hash(block: CommittedBlock, place: Place, transactions: Sequence[_Transaction]) -> None:
    if len(transactions) != sum(map(block.is_valid, range(len(block.transactions)))):
        return  # it was said that some could not be read
    updates = _updates(block.number, transactions)
    if updates is None:
        return
    computed = commit_hash(place.commit_hash, block.codes, update_bytes(updates))
    if block.commit_hash != computed:
        raise _FoundError(
            f"expected the commit hash {computed.hex()} by its valid transactions, found {block.commit_hash.hex()[:128]}"
        )


def _updates(
    number: int, transactions: Sequence[_Transaction]
) -> dict[str, dict[str, tuple[bytes | None, Version]]] | None:
    """Return what the valid transactions write, in order; None if that needs the state, or private data."""
    updates: dict[str, dict[str, tuple[bytes | None, Version]]] = {}
    for each in transactions:
        for rw_set in each.endorsed.rw_sets if each.endorsed else ():
            if rw_set.collections or _writes_metadata_only(rw_set):
                return None
            if rw_set.writes:
                keys = updates.setdefault(rw_set.namespace, {})
                keys.update(
                    (write.key, (write.value, Version(number, each.number))) for write in rw_set.writes
                )
    return updates


def _writes_metadata_only(rw_set: NamespaceRwSet) -> bool:
    return not rw_set.metadata_writes.keys() <= {write.key for write in rw_set.writes}


def _is_about_contract(endorsed: EndorserTransaction) -> bool:
    if endorsed.chaincode_name == CHAINCODE and endorsed.event:
        return True
    return any(
        rw_set.namespace == CHAINCODE and (rw_set.writes or rw_set.metadata_writes or rw_set.collections)
        for rw_set in endorsed.rw_sets
    )


def _check_creator(transaction: _Transaction, config: ChannelConfig) -> None:
    envelope = transaction.envelope
    try:
        creator = config.msps.validate(envelope.header.creator, IGNORING_EXPIRY)
        creator.verify(envelope.signature, envelope.payload)
    except (ShirushiError, InvalidInputError) as error:
        raise _FoundError(f"transaction {envelope.header.tx_id}: {error}") from None


def _check_endorsements(endorsed: EndorserTransaction, config: ChannelConfig) -> None:
    """Hold a transaction against a majority of the channel's members, and against the channel's own policy.

    Certificates' ends of validity are for endorsers and orderers to check, with a clock.
    """
    payload, tx_id = endorsed.response_payload, endorsed.header.tx_id
    signed = (
        SignedData(payload + each.endorser, each.endorser, each.signature) for each in endorsed.endorsements
    )
    signers = valid_signers(signed, config.msps, IGNORING_EXPIRY)
    members = {signer.msp_id for signer in signers} & set(config.application_orgs)
    needed = len(config.application_orgs) // 2 + 1
    if len(members) < needed:
        raise _FoundError(
            f"transaction {tx_id}: expected endorsements of {needed} of {len(config.application_orgs)} members, found "
            f"{len(members)}"
        )
    try:
        config.policies.get(ENDORSEMENT_POLICY).evaluate(signers)
    except ShirushiError as error:
        raise _FoundError(f"transaction {tx_id}: {error}") from None


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"

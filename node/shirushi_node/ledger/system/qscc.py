"""qscc: queries on blocks and transactions.

Source: core/scc/qscc/query.go; error texts of common/ledger/blkstorage/blockindex.go.
"""

from __future__ import annotations

from fabric_protos.common import ledger_pb2
from fabric_protos.peer import transaction_pb2

from shirushi_core.fabric.chaincode import Response
from shirushi_node.ledger.access import READERS, AccessDeniedError, check_identity
from shirushi_node.ledger.blocks import envelope_of, read_block
from shirushi_node.ledger.invocation import Invocation
from shirushi_node.ledger.ledger import Channel
from shirushi_node.ledger.system import called_by_chaincode, failure, success

_MAX_UINT64 = (1 << 64) - 1


class QueryChaincode:
    """The system chaincode qscc."""

    name = "qscc"

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._functions = {
            "GetChainInfo": self._chain_info,
            "GetBlockByNumber": self._block_by_number,
            "GetBlockByHash": self._block_by_hash,
            "GetTransactionByID": self._transaction_by_id,
            "GetBlockByTxID": self._block_by_tx_id,
        }

    def invoke(self, invocation: Invocation) -> Response:
        args = invocation.args
        if len(args) < 2:
            return failure(f"Incorrect number of arguments, {len(args)}")
        function, channel_id = (each.decode("utf-8", "replace") for each in args[:2])
        caller = called_by_chaincode(invocation)
        if caller is not None:
            return failure(
                "Rejecting invoke of QSCC from another chaincode because of potential for deadlocks, "
                f"original invocation for '{caller}'"
            )
        if function != "GetChainInfo" and len(args) < 3:
            return failure(f"missing 3rd argument for {function}")
        if channel_id != self._channel.name:
            return failure(f"Invalid chain ID, {channel_id}")
        answer = self._functions.get(function)
        if answer is None:
            return failure(
                f"access denied for [{function}][{channel_id}]: [Unmapped policy for qscc/{function}]"
            )
        try:
            check_identity(self._channel.config, channel_id, READERS, invocation.transaction.checked.creator)
        except AccessDeniedError as error:
            return failure(f"access denied for [{function}][{channel_id}]: [{error}]")
        return answer(args[2] if len(args) > 2 else b"")

    def _chain_info(self, _: bytes) -> Response:
        store = self._channel.store
        height = store.height
        info = ledger_pb2.BlockchainInfo(
            height=height,
            currentBlockHash=store.last_header_hash,
            previousBlockHash=read_block(store, height - 1).header.previous_hash,
        )
        return success(info.SerializeToString())

    def _block_by_number(self, argument: bytes) -> Response:
        text = argument.decode("utf-8", "replace")
        if not (text.isascii() and text.isdigit()):
            return failure(
                f'Failed to parse block number with error strconv.ParseUint: parsing "{text}": invalid syntax'
            )
        number = int(text) if len(text) <= 20 else _MAX_UINT64 + 1
        if number > _MAX_UINT64:
            return failure(
                f'Failed to parse block number with error strconv.ParseUint: parsing "{text}": value out of range'
            )
        store = self._channel.store
        if number == _MAX_UINT64:
            number = store.height - 1
        block = store.block_bytes(number) if number < store.height else None
        if block is None:
            return failure(
                f"Failed to get block number {number}, error no such block number [{number}] in index"
            )
        return success(block)

    def _block_by_hash(self, argument: bytes) -> Response:
        number = self._channel.store.block_number_by_hash(argument)
        if number is None:
            return failure(
                f"Failed to get block hash {argument.decode('utf-8', 'replace')}, "
                f"error no such block hash [{argument.hex()}] in index"
            )
        return success(self._channel.store.block_bytes(number) or b"")

    def _transaction_by_id(self, argument: bytes) -> Response:
        tx_id = argument.decode("utf-8", "replace")
        location = self._channel.store.transaction(tx_id)
        if location is None:
            return failure(
                f"Failed to get transaction with id {tx_id}, error no such transaction ID [{tx_id}] in index"
            )
        block = read_block(self._channel.store, location.block)
        processed = transaction_pb2.ProcessedTransaction(
            transactionEnvelope=envelope_of(block, location.tx), validationCode=location.validation_code
        )
        return success(processed.SerializeToString())

    def _block_by_tx_id(self, argument: bytes) -> Response:
        tx_id = argument.decode("utf-8", "replace")
        location = self._channel.store.transaction(tx_id)
        if location is None:
            return failure(
                f"Failed to get block for txID {tx_id}, error no such transaction ID [{tx_id}] in index"
            )
        return success(self._channel.store.block_bytes(location.block) or b"")

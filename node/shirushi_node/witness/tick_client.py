"""Having a tick committed, through the Gateway of the witness's own peer, as a client of its member."""

from __future__ import annotations

from typing import Any

import grpc

from shirushi_client.gateway import CallOptions, CommitError, GatewayError, Identity, connect, signers
from shirushi_core.proofs.canonical import encode
from shirushi_node.ledger.endpoint import MESSAGE_OPTIONS
from shirushi_node.witness.deliver import DeliverSettings
from shirushi_node.witness.errors import TickError
from shirushi_node.witness.rules import CHAINCODE
from shirushi_node.witness.ticking import SUBMIT_SECONDS

FUNCTION = "tick"


class TickClient:
    """Calls the contract's tick; close it with close()."""

    def __init__(self, settings: DeliverSettings) -> None:
        options: list[tuple[str, Any]] = [*MESSAGE_OPTIONS]
        if settings.peer_tls_name is not None:
            options.append(("grpc.ssl_target_name_override", settings.peer_tls_name))
        credentials = grpc.ssl_channel_credentials(settings.peer_tls_roots)
        self._channel = grpc.aio.secure_channel(settings.peer, credentials, options=options)
        signing = settings.identity
        self._identity = Identity(signing.identity.msp_id, signing.identity.certificate_pem)
        self._signer = signers.from_private_key(signing.key)
        self._ledger = settings.ledger

    async def tick(self) -> None:
        """Have a tick committed; raises TickError."""
        try:
            async with connect(self._channel, self._identity, self._signer) as gateway:
                contract = gateway.get_network(self._ledger).get_contract(CHAINCODE)
                await contract.submit(
                    FUNCTION, arguments=[encode({})], options=CallOptions(timeout=SUBMIT_SECONDS)
                )
        except (GatewayError, CommitError) as error:
            raise TickError(str(error)) from None

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()

"""How many bytes are written to the ledger: the blocks that its members commit, as a peer delivers them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import grpc.aio

from shirushi_client.gateway import Identity, connect, signers
from shirushi_client.profile import read_tls_root
from shirushi_client.session import ISSUER, open_session
from shirushi_network import bring_up
from shirushi_network.layout import Layout

READ_SECONDS = 120.0
"""How long reading blocks may take."""

MAX_BLOCK_BYTES = 100 << 20


async def ledger_height(layout: Layout) -> int:
    """Return how many blocks the network's peers have; raises ConsortiumError."""
    return int((await asyncio.to_thread(bring_up.status, layout))["height"])


async def bytes_of_blocks(data: Path, first: int, end: int) -> int:
    """Return the bytes of the blocks from number `first` up to `end`, which is not one of them.

    They are the blocks of one peer: every member keeps them all. Raises GatewayError, TimeoutError.
    """
    if first >= end:
        return 0
    async with open_session(data, ISSUER) as session:
        member = session.consortium.member(session.profile.member)
        options: list[tuple[str, str | int]] = [
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_receive_message_length", MAX_BLOCK_BYTES),
        ]
        if member.tls_name is not None:
            options.append(("grpc.ssl_target_name_override", member.tls_name))
        credentials = grpc.ssl_channel_credentials(read_tls_root(member.tls_root, member.name_en))
        identity = Identity(session.profile.msp_id, session.profile.load_certificate())
        signer = signers.from_private_key(session.profile.load_key())
        async with (
            asyncio.timeout(READ_SECONDS),
            grpc.aio.secure_channel(member.peer, credentials, options) as channel,
            connect(channel, identity, signer) as gateway,
            gateway.get_network(session.consortium.channel).get_block_events(start_block=first) as blocks,
        ):
            size = 0
            async for block in blocks:
                size += block.ByteSize()
                if block.header.number + 1 >= end:
                    break
            return size

"""Runs a witness until killed, of which a file says what it is given; prints a line once it serves."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shirushi_core.fabric.identity import Identity, SigningIdentity
from shirushi_core.fabric.signing import load_private_key
from shirushi_node.ledger.endpoint import TlsKeyPair
from shirushi_node.witness.service import WitnessKeys, WitnessService, WitnessSettings


async def main(file: Path) -> None:
    told = json.loads(file.read_text())
    identity = Identity(told["msp_id"], told["certificate"].encode())
    settings = WitnessSettings(
        ledger=told["ledger"],
        member_id="org1",
        folder=Path(told["folder"]),
        keys=WitnessKeys(
            Ed25519PrivateKey.from_private_bytes(bytes.fromhex(told["log"])),
            Ed25519PrivateKey.from_private_bytes(bytes.fromhex(told["cosigner"])),
            int(told["bls"]),
        ),
        identity=SigningIdentity(identity, load_private_key(told["key"].encode())),
        peer=told["peer"],
        peer_tls_roots=told["peer_tls_roots"].encode(),
        peer_tls_name="localhost",
        genesis=bytes.fromhex(told["genesis"]),
        others=(),
        quorum=1,
        host="127.0.0.1",
        port=told["port"],
        tls=TlsKeyPair(told["tls_certificate"].encode(), told["tls_key"].encode()),
    )
    await WitnessService(settings).start()
    sys.stdout.write("serving\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

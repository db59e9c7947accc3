"""Reading what a member's witness is given: its witness.json (witness_configuration.py) and the keys that names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shirushi_core.proofs.note import VerifierKey
from shirushi_network.errors import ConsortiumError
from shirushi_network.member_files import read_file
from shirushi_network.member_keys import load_signing_identity, load_tls
from shirushi_network.witness_keys import load_witness_secrets
from shirushi_node.ledger.endpoint import TlsKeyPair
from shirushi_node.witness.settings import OtherWitness, WitnessKeys, WitnessSettings

FILE = "witness.json"

_MAX_BYTES = 4 << 20
_MAX_GENESIS_BYTES = 64 << 20


def read_settings(folder: Path) -> WitnessSettings:
    """Read what a witness is given, and its keys; raises ConsortiumError naming the file."""
    path = folder / FILE
    try:
        return settings_of(json.loads(read_file(path, _MAX_BYTES)))
    except (ValueError, KeyError, TypeError) as error:
        raise ConsortiumError(
            f"{path} is no witness's configuration ({error}): `shirushi consortium up` writes it anew"
        ) from None


def settings_of(configuration: Mapping[str, Any]) -> WitnessSettings:
    """Load the keys and the genesis block that a configuration names.

    Raises MemberKeysError naming the file, ConsortiumError, InvalidInputError; KeyError, TypeError for another object.
    """
    member, msp_id = configuration["member"], configuration["msp_id"]
    keys, identity = Path(configuration["keys"]), Path(configuration["identity"])
    if not identity.exists():
        raise ConsortiumError(
            f"the witness of {member} reads blocks as its client, and {identity} is not there: import one with --part "
            "client=FOLDER"
        )
    secrets = load_witness_secrets(keys.parent)
    certificate, key, _ = load_tls(keys / "tls")
    peer, listen = configuration["peer"], configuration["listen"]
    return WitnessSettings(
        ledger=configuration["ledger"],
        member_id=member,
        folder=Path(configuration["data"]),
        keys=WitnessKeys(secrets.log, secrets.cosigner, secrets.bls),
        identity=load_signing_identity(identity, msp_id),
        peer=peer["address"],
        peer_tls_roots=peer["tls_roots"].encode(),
        peer_tls_name=None,
        genesis=read_file(Path(configuration["genesis"]), _MAX_GENESIS_BYTES),
        others=tuple(
            OtherWitness(
                member_id=other["member"],
                url=other["url"],
                tls_root=other["tls_root"].encode(),
                cosigner=VerifierKey.from_text(other["cosigner"]),
                name_en=other["name_en"],
            )
            for other in configuration["others"]
        ),
        quorum=configuration["quorum"],
        host=listen["host"],
        port=listen["port"],
        tls=TlsKeyPair(certificate, key),
        # Absent in what was rendered before witnesses served policies.
        policy=None if configuration.get("policy") is None else Path(configuration["policy"]),
    )

"""Odd certificates are taken and refused as real peers of Fabric 3.1.5 took and refused them (tests/fabric/test_fuzzing.py).

tests/vectors/odd-certificates.json holds, for every oddity alone, whether a peer's certificate with it was accepted as an endorser's.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from fabric_protos.msp import msp_config_pb2
from tests.fabric.fuzzing.certificate_oddities import ODDITIES
from tests.fabric.fuzzing.der import UTC_TIME, tlv
from tests.fabric.fuzzing.drafts import authority, end_entity, issuer_of
from tests.fabric.fuzzing.keys import make_key

from shirushi_core.errors import InvalidInputError
from shirushi_core.fabric.identity import Identity
from shirushi_core.fabric.msp import IdentityError, Msp

FILE = Path(__file__).parents[2] / "vectors" / "odd-certificates.json"
CA = authority(b"ca", make_key(Random(0)), Random(0), path_length=0)
CA.not_before, CA.not_after = tlv(UTC_TIME, b"261201000000Z"), tlv(UTC_TIME, b"361201000000Z")
ISSUER = replace(issuer_of(CA), begin="261201000000Z")  # as it was when Fabric was asked
CONFIG = msp_config_pb2.FabricMSPConfig(name="OddMSP", root_certs=[CA.encoded])
CONFIG.fabric_node_ous.enable = True
for role in ("client", "peer", "admin", "orderer"):
    getattr(CONFIG.fabric_node_ous, f"{role}_ou_identifier").organizational_unit_identifier = role


def accepted(oddity: str) -> bool:
    random = Random(oddity)
    draft = end_entity(ISSUER, "peer", random, make_key(random))
    ODDITIES[oddity](draft, random)
    try:
        Msp(CONFIG).accept(Identity("OddMSP", draft.encoded))
    except (IdentityError, InvalidInputError):
        return False
    return True


EXPECTED: dict[str, bool] = json.loads(FILE.read_text()) if FILE.exists() else {}


def test_every_oddity_has_a_verdict() -> None:
    assert EXPECTED.keys() == ODDITIES.keys()


@pytest.mark.parametrize("oddity", ODDITIES)
def test_it_is_judged_as_fabric_judges_it(oddity: str) -> None:
    assert accepted(oddity) == EXPECTED[oddity]

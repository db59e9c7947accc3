"""The official Node Gateway client's cases, and what they are told of a network that runs the basic chaincode."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.node_packages import installed_project

from shirushi_network.layout import Layout
from shirushi_network.topology import Topology

SOURCE = Path(__file__).parents[1] / "interop" / "node_client"
CASES = re.findall(r"async '([^']+)'\(\)", (SOURCE / "cases.mjs").read_text(encoding="utf-8"))

CASES_SECONDS = 110


def client_configuration(layout: Layout, topology: Topology) -> dict[str, Any]:
    """Return what the cases need to know: one member's peer, and its users' keys."""
    city, other = topology.members[:2]
    users = layout.members / city.id / "users"
    return {
        "endpoint": city.peer.address,
        "tlsRoot": str(layout.members / city.id / "tlsca" / "cert.pem"),
        "tlsName": "localhost",
        "channel": topology.channel,
        "chaincode": "basic",
        "mspId": city.msp_id,
        "certificate": str(users / "client" / "msp" / "signcerts" / "cert.pem"),
        "key": str(users / "client" / "msp" / "keystore" / "priv_sk"),
        "otherKey": str(layout.members / other.id / "users/client/msp/keystore/priv_sk"),
        "majority": [member.msp_id for member in topology.members[:3]],
    }


def run_cases(folder: Path, configuration: dict[str, Any]) -> dict[str, dict[str, object]]:
    """Run all cases, and return what came of each; skips where Node or its packages cannot be had."""
    project = installed_project(SOURCE)
    file = folder / "client.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    finished = subprocess.run(
        ["node", "cases.mjs", str(file)], cwd=project, capture_output=True, text=True, timeout=CASES_SECONDS
    )
    assert finished.returncode == 0, finished.stderr
    return {result["name"]: result for result in map(json.loads, finished.stdout.splitlines())}

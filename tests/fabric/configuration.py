"""orderer.yaml and core.yaml for one member's nodes on this machine; JSON, which every YAML reader reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shirushi_network.member_keys import ORDERER, PEER
from shirushi_network.topology import Member


def orderer_configuration(member: Member, home: Path, data: Path) -> bytes:
    """Return orderer.yaml: TLS everywhere, clients of the admin endpoint too, metrics for who leads."""
    node = home / "orderers" / ORDERER
    tls = _orderer_tls(node)
    return _written(
        {
            "General": {
                "ListenAddress": member.orderer.host,
                "ListenPort": member.orderer.port,
                "TLS": tls,
                "Cluster": {
                    "ClientCertificate": tls["Certificate"],
                    "ClientPrivateKey": tls["PrivateKey"],
                    "RootCAs": tls["RootCAs"],
                },
                "BootstrapMethod": "none",
                "LocalMSPDir": str(node / "msp"),
                "LocalMSPID": member.msp_id,
            },
            "ChannelParticipation": {"Enabled": True, "MaxRequestBodySize": 1 << 20},
            "FileLedger": {"Location": str(data / "ledger")},
            "Consensus": {"WALDir": str(data / "wal")},
            "Admin": {
                "ListenAddress": f"{member.orderer.host}:{member.orderer.admin_port}",
                "TLS": {**tls, "ClientAuthRequired": True, "ClientRootCAs": tls["RootCAs"]},
            },
            "Operations": {"ListenAddress": f"{member.orderer.host}:{member.orderer.operations_port}"},
            "Metrics": {"Provider": "prometheus"},
        }
    )


def peer_configuration(member: Member, home: Path, data: Path) -> bytes:
    """Return core.yaml, for the member's peer and for the peer command."""
    node = home / "peers" / PEER
    address = f"{member.peer.address}"
    any_port = f"{member.peer.host}:0"
    return _written(
        {
            "peer": {
                "id": f"{PEER}.{member.id}",
                "networkId": "shirushi-test",
                "listenAddress": address,
                "address": address,
                "chaincodeListenAddress": any_port,
                "gossip": {
                    "bootstrap": address,
                    "endpoint": address,
                    "externalEndpoint": address,
                    "useLeaderElection": False,
                    "orgLeader": True,
                },
                "tls": {
                    "enabled": True,
                    "cert": {"file": str(node / "tls" / "server.crt")},
                    "key": {"file": str(node / "tls" / "server.key")},
                    "rootcert": {"file": str(node / "tls" / "ca.crt")},
                },
                "fileSystemPath": str(data),
                "mspConfigPath": str(node / "msp"),
                "localMspId": member.msp_id,
                "localMspType": "bccsp",
                "BCCSP": {"Default": "SW", "SW": {"Hash": "SHA2", "Security": 256}},
                "client": {"connTimeout": "10s"},
                "gateway": {"enabled": True},
                "handlers": {
                    "authFilters": [{"name": "DefaultAuth"}, {"name": "ExpirationCheck"}],
                    "decorators": [{"name": "DefaultDecorator"}],
                    "endorsers": {"escc": {"name": "DefaultEndorsement"}},
                    "validators": {"vscc": {"name": "DefaultValidation"}},
                },
            },
            "chaincode": {
                "externalBuilders": [{"name": "none", "path": str(data / "builder")}],
                "system": dict.fromkeys(("_lifecycle", "cscc", "lscc", "qscc"), "enable"),
                "logging": {"level": "info", "shim": "warning"},
            },
            "ledger": {
                "state": {"stateDatabase": "goleveldb"},
                "history": {"enableHistoryDatabase": True},
                "snapshots": {"rootDir": str(data / "snapshots")},
            },
            "operations": {"listenAddress": any_port},
        }
    )


def _orderer_tls(node: Path) -> dict[str, Any]:
    return {
        "Enabled": True,
        "Certificate": str(node / "tls" / "server.crt"),
        "PrivateKey": str(node / "tls" / "server.key"),
        "RootCAs": [str(node / "tls" / "ca.crt")],
    }


def _written(configuration: dict[str, Any]) -> bytes:
    return json.dumps(configuration, indent=2).encode() + b"\n"

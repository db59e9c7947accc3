"""core.yaml and orderer.yaml for a member's nodes.

Values that are not here are Fabric's own defaults. Source: sampleconfig/core.yaml, sampleconfig/orderer.yaml.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import yaml

from shirushi_core.errors import InvalidInputError
from shirushi_network.fabric.nodes import Node, NodeKind, NodePaths
from shirushi_network.member_keys import ORDERER, PEER
from shirushi_network.topology import Member, Topology, listen_host

LONGEST_RECONNECT = "10s"
"""The longest a node waits before it dials again; Fabric's defaults of two minutes and an hour delay who comes back."""

LONGEST_SILENCE = "5s"
"""How long a peer stays with an orderer that sends it none of the blocks that others have; Fabric's default is 30 s."""

LONGEST_ENDORSEMENT = "5s"
"""How long a gateway waits for one peer before it asks another; Fabric's default of half a minute is beyond the clients'."""

MAX_MESSAGE_BYTES = 100 << 20


def orderer_configuration(member: Member, paths: NodePaths) -> bytes:
    """Return orderer.yaml: TLS everywhere, the admin endpoint with clients' certificates too, metrics on 127.0.0.1."""
    if member.orderer is None:
        raise InvalidInputError(f"{member.id} has no orderer")
    home, data = (
        paths.home(member) / "orderers" / ORDERER,
        paths.of(Node(member, NodeKind.ORDERER)) / "data",
    )
    tls = {
        "Enabled": True,
        "Certificate": str(home / "tls" / "server.crt"),
        "PrivateKey": str(home / "tls" / "server.key"),
        "RootCAs": [str(home / "tls" / "ca.crt")],
    }
    return _written(
        {
            "General": {
                "ListenAddress": listen_host(member.orderer.host),
                "ListenPort": member.orderer.port,
                "TLS": tls,
                "Backoff": {"BaseDelay": "1s", "Multiplier": 1.6, "MaxDelay": LONGEST_RECONNECT},
                "MaxRecvMsgSize": MAX_MESSAGE_BYTES,
                "MaxSendMsgSize": MAX_MESSAGE_BYTES,
                "Cluster": {
                    "ClientCertificate": tls["Certificate"],
                    "ClientPrivateKey": tls["PrivateKey"],
                    "RootCAs": tls["RootCAs"],
                },
                "BootstrapMethod": "none",
                "LocalMSPDir": str(home / "msp"),
                "LocalMSPID": member.msp_id,
                "Authentication": {"TimeWindow": "15m"},
            },
            "ChannelParticipation": {"Enabled": True, "MaxRequestBodySize": 4 << 20},
            "FileLedger": {"Location": str(data / "ledger")},
            "Consensus": {"WALDir": str(data / "wal")},
            "Admin": {
                "ListenAddress": f"127.0.0.1:{member.orderer.admin_port}",
                "TLS": {**tls, "ClientAuthRequired": True, "ClientRootCAs": tls["RootCAs"]},
            },
            "Operations": {"ListenAddress": f"127.0.0.1:{member.orderer.operations_port}"},
            "Metrics": {"Provider": "prometheus"},
        }
    )


def peer_configuration(topology: Topology, member: Member, paths: NodePaths) -> bytes:
    """Return core.yaml for a member's peer; chaincodes are services that its own external builder connects."""
    home, own = paths.home(member) / "peers" / PEER, paths.of(Node(member, NodeKind.PEER))
    data = own / "data"
    return _written(
        {
            "peer": {
                "id": f"{PEER}.{member.id}",
                "networkId": topology.channel,
                "listenAddress": f"{listen_host(member.peer.host)}:{member.peer.port}",
                "address": member.peer.address,
                "chaincodeListenAddress": "127.0.0.1:0",
                "gossip": {
                    "bootstrap": member.peer.address,
                    "endpoint": member.peer.address,
                    "externalEndpoint": member.peer.address,
                    "useLeaderElection": False,
                    "orgLeader": True,
                    "reconnectInterval": "3s",
                    "pvtData": {"implicitCollectionDisseminationPolicy": {"requiredPeerCount": 0}},
                },
                "tls": _peer_tls(home / "tls"),
                "authentication": {"timewindow": "15m"},
                "fileSystemPath": str(data),
                "mspConfigPath": str(home / "msp"),
                "localMspId": member.msp_id,
                "localMspType": "bccsp",
                "BCCSP": {"Default": "SW", "SW": {"Hash": "SHA2", "Security": 256}},
                "client": {"connTimeout": "10s"},
                "deliveryclient": {
                    "reConnectBackoffThreshold": LONGEST_RECONNECT,
                    "policy": "cluster",
                    "blockCensorshipTimeoutKey": LONGEST_SILENCE,
                },
                "gateway": {"enabled": True, "dialTimeout": "10s", "endorsementTimeout": LONGEST_ENDORSEMENT},
                "discovery": {"enabled": True, "orgMembersAllowedAccess": False},
                "handlers": {
                    "authFilters": [
                        {"name": "DefaultAuth"},
                        {"name": "ExpirationCheck"},
                        {"name": "TimeWindowCheck"},
                    ],
                    "decorators": [{"name": "DefaultDecorator"}],
                    "endorsers": {"escc": {"name": "DefaultEndorsement"}},
                    "validators": {"vscc": {"name": "DefaultValidation"}},
                },
                "limits": {
                    "concurrency": {"endorserService": 2500, "deliverService": 2500, "gatewayService": 500}
                },
                "maxRecvMsgSize": MAX_MESSAGE_BYTES,
                "maxSendMsgSize": MAX_MESSAGE_BYTES,
            },
            "chaincode": {
                "mode": "net",
                "externalBuilders": [{"name": "shirushi", "path": str(own / "builder")}],
                "installTimeout": "60s",
                "startuptimeout": "30s",
                "executetimeout": "30s",
                "system": dict.fromkeys(("_lifecycle", "cscc", "lscc", "qscc"), "enable"),
                "logging": {"level": "info", "shim": "warning"},
                "runtimeParams": {
                    "useWriteBatch": True,
                    "maxSizeWriteBatch": 1000,
                    "useGetMultipleKeys": True,
                    "maxSizeGetMultipleKeys": 1000,
                },
            },
            "ledger": {
                "state": {"stateDatabase": "goleveldb", "totalQueryLimit": 100_000},
                "history": {"enableHistoryDatabase": True},
                "snapshots": {"rootDir": str(data / "snapshots")},
            },
            "operations": {"listenAddress": f"127.0.0.1:{member.peer.operations_port}"},
            "metrics": {"provider": "prometheus"},
        }
    )


def _peer_tls(tls: PurePath) -> dict[str, Any]:
    return {
        "enabled": True,
        "cert": {"file": str(tls / "server.crt")},
        "key": {"file": str(tls / "server.key")},
        "rootcert": {"file": str(tls / "ca.crt")},
    }


def _written(configuration: dict[str, Any]) -> bytes:
    return yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True, width=120).encode()

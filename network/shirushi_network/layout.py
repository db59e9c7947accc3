"""Where everything of a consortium is, below a data folder.

DATA/
consortium.json        connection file: members, endpoints, TLS roots (public)
topology.toml          members, nodes, channel
genesis.block          the channel's genesis block
join.block             a newer config block, for an orderer that comes to a channel that runs
members/<id>/...       each member whose keys are on this machine, in Fabric's own layout; private keys 0600
bundles/<id>.json      what the other members published of themselves (docs/formats/member-bundle.md)
bundles/<id>.tlsca.pem their TLS roots out of it, for the connection file
users/<profile>.json   which identity a command uses
issuer/                the issuer's journal
ledger/                the embedded engine's committed ledger (lmdb)
witness/<id>/          the embedded engine's witnesses: each member's log (elsewhere: nodes/<id>/witness/data)
trust-policy.json      the trust policy that verifiers go by
node.log, node.lock, control.sock
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

_LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one data folder."""

    root: Path

    @property
    def connection(self) -> Path:
        return self.root / "consortium.json"

    @property
    def topology(self) -> Path:
        return self.root / "topology.toml"

    @property
    def genesis(self) -> Path:
        return self.root / "genesis.block"

    @property
    def join_block(self) -> Path:
        return self.root / "join.block"

    @property
    def engine(self) -> Path:
        return self.root / "engine.json"

    @property
    def bundles(self) -> Path:
        return self.root / "bundles"

    @property
    def chaincodes(self) -> Path:
        return self.root / "chaincodes.json"

    @property
    def members(self) -> Path:
        return self.root / "members"

    @property
    def users(self) -> Path:
        return self.root / "users"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def nodes(self) -> Path:
        return self.root / "nodes"

    @property
    def witnesses(self) -> Path:
        return self.root / "witness"

    @property
    def trust_policy(self) -> Path:
        return self.root / "trust-policy.json"

    @property
    def log(self) -> Path:
        return self.root / "node.log"

    @property
    def lock(self) -> Path:
        return self.root / "node.lock"

    @property
    def control_socket(self) -> Path:
        """The control socket; in the temporary folder where the data folder's path is too long for a socket."""
        beside = self.root / "control.sock"
        if len(os.fsencode(beside)) <= _LONGEST_SOCKET_PATH:
            return beside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"shirushi-{os.getuid()}-{name}" / "control.sock"

"""The peer's external builder for chaincode as a service: three small scripts, and the connections of this member.

A package may name its server (connection.json, as with Fabric's own ccaas builder). Where the peer's builder has a file
connections/LABEL.json, that one counts: members with servers and TLS keys of their own share one package, and no
private key goes into a package. Source: core/container/externalbuilder/externalbuilder.go.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from shirushi_network.files import write_atomically
from shirushi_network.member_keys import PEER
from shirushi_network.topology import Member

CONNECTIONS = "connections"
"""The folder of this member's connections, below the builder's."""

_DETECT = """\
#!/bin/sh
# detect SOURCE METADATA: chaincode as a service is ours.
grep -Eq '"type" *: *"ccaas"' "$2/metadata.json"
"""

_BUILD = """\
#!/bin/sh
# build SOURCE METADATA OUTPUT: nothing is compiled; the package is kept.
set -eu
cp "$2/metadata.json" "$3/"
cp "$1/connection.json" "$3/"
if [ -d "$1/META-INF" ]; then cp -R "$1/META-INF" "$3/"; fi
"""

_RELEASE = """\
#!/bin/sh
# release OUTPUT RELEASE: say where the server is, this member's own file before the package's.
set -eu
label=$(sed -n 's/.*"label" *: *"\\([A-Za-z0-9.+_-]*\\)".*/\\1/p' "$1/metadata.json")
own="$(dirname "$0")/../connections/$label.json"
mkdir -p "$2/chaincode/server"
if [ -f "$own" ]; then from=$own; else from=$1/connection.json; fi
umask 077
cat "$from" > "$2/chaincode/server/connection.json"
if [ -d "$1/META-INF/statedb" ]; then cp -R "$1/META-INF/statedb" "$2/"; fi
"""


def write_builder(folder: Path) -> None:
    """Write the builder's scripts into a peer's builder folder."""
    (folder / "bin").mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, script in (("detect", _DETECT), ("build", _BUILD), ("release", _RELEASE)):
        write_atomically(folder / "bin" / name, script.encode(), mode=0o755)


def write_connection(peer_folder: Path, member: Member, home: Path, label: str) -> bool:
    """Write how a member's peer reaches its own chaincode service, over mutual TLS; False if that was so already.

    The peer's TLS certificate is its client certificate, so the file is 0600. What the peer built from an older file is
    taken away; it builds anew when it starts.
    """
    tls = home / "peers" / PEER / "tls"
    connection = {
        "address": member.chaincode.address,
        "dial_timeout": "10s",
        "tls_required": True,
        "client_auth_required": True,
        "client_cert": (tls / "server.crt").read_text(),
        "client_key": (tls / "server.key").read_text(),
        "root_cert": (tls / "ca.crt").read_text(),
    }
    content = json.dumps(connection, indent=2).encode() + b"\n"
    path = peer_folder / "builder" / CONNECTIONS / f"{label}.json"
    if path.exists() and path.read_bytes() == content:
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, content, mode=0o600)
    builds = peer_folder / "data" / "externalbuilder" / "builds"
    if builds.exists():
        shutil.rmtree(builds)
        builds.mkdir(mode=0o700)
    return True

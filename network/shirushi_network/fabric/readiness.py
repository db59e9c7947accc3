"""Whether a node that was started can be used.

Fabric's nodes answer health checks before they serve: an orderer's admin endpoint and a peer's services come later, the
gRPC server last. Source: orderer/common/server/main.go, internal/peer/node/start.go.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request

import grpc

from shirushi_network.fabric.nodes import Node, NodeKind

SECONDS = 2.0

_ANY_METHOD = "/grpc.health.v1.Health/Check"  # whether the node has it or not, its server answers
_NOT_SERVING = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


def is_ready(node: Node, tls_roots: bytes) -> bool:
    """Say whether a node is healthy and serves; `tls_roots` are its member's, PEM.

    A witness only has to answer: it is healthy once its member's peer and a quorum of other witnesses are.
    """
    if node.kind is NodeKind.WITNESS:
        return _answers(node, tls_roots)
    if not _is_healthy(node):
        return False
    if node.kind is NodeKind.CHAINCODE:  # it serves before it answers health checks
        return True
    member = node.member
    address = (
        member.orderer.address if node.kind is NodeKind.ORDERER and member.orderer else member.peer.address
    )
    with grpc.secure_channel(address, grpc.ssl_channel_credentials(tls_roots)) as channel:
        try:
            ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_ANY_METHOD)
            ask(b"", timeout=SECONDS)
        except grpc.RpcError as error:
            return error.code() not in _NOT_SERVING
    return True


def _answers(node: Node, tls_roots: bytes) -> bool:
    if node.member.witness is None:
        return False
    host, port = node.member.witness.host, node.member.witness.port
    context = ssl.create_default_context(cadata=tls_roots.decode())
    connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    try:
        connection.request("GET", "/health")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _is_healthy(node: Node) -> bool:
    url = f"http://127.0.0.1:{node.operations_port}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

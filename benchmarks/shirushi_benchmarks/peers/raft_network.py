"""One organisation on Hyperledger Fabric with Raft ordering: the smallest real network that a user would compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shirushi_network.layout import Layout


@contextmanager
def raft_network(root: Path, progress: Callable[[str], None]) -> Iterator[Layout]:
    """Bring up one member's peer, Raft orderer and chaincode service with the anchors contract; raises ConsortiumError."""
    raise NotImplementedError
    yield Layout(root)

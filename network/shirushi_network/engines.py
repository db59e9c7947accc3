"""Which engine a data folder has, opened."""

from __future__ import annotations

import os

from shirushi_network.embedded_engine import EmbeddedEngine
from shirushi_network.engine import Engine, EngineChoice, EngineName, Progress, read_choice
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout


def open_engine(layout: Layout, progress: Progress = lambda _: None) -> Engine:
    """Open the engine of a data folder: the one it was brought up with, else the embedded one. Raises ConsortiumError."""
    return make_engine(layout, read_choice(layout.engine) or EngineChoice(EngineName.EMBEDDED), progress)


def choose(layout: Layout, wanted: EngineChoice | None) -> EngineChoice:
    """Return the engine to bring up; raises ConsortiumError if the folder's ledger is another's."""
    known = read_choice(layout.engine)
    if known is None and layout.ledger.exists():
        known = EngineChoice(EngineName.EMBEDDED)
    if wanted is None:
        return known or EngineChoice(EngineName.EMBEDDED)
    if known is not None and known.name is not wanted.name:
        raise ConsortiumError(
            f"the consortium in {layout.root} runs on the engine {known.name}: leave --engine out, or use another "
            "data folder"
        )
    return EngineChoice(wanted.name, wanted.binaries or (known.binaries if known else None))


def make_engine(layout: Layout, choice: EngineChoice, progress: Progress) -> Engine:
    """Open an engine by choice; what only Fabric needs is loaded only for it. Raises ConsortiumError."""
    if choice.name is EngineName.EMBEDDED:
        return EmbeddedEngine(layout)
    from shirushi_network.fabric.engine import FabricEngine
    from shirushi_network.fabric.nodes import NodePaths

    if choice.name is EngineName.NATIVE:
        from shirushi_network.fabric.native import NativeNodes

        nodes = NativeNodes(layout.root, choice.binaries, os.environ)
        return FabricEngine(layout, choice.name, nodes, NodePaths(layout.root))
    from shirushi_network.fabric.compose import ComposeNodes
    from shirushi_network.fabric.containers import INSIDE

    return FabricEngine(layout, choice.name, ComposeNodes(layout.root, progress), INSIDE)

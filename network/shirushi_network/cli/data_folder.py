"""The data folder that a command works on, and the member in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shirushi_client.profile import data_folder
from shirushi_network.errors import ConsortiumError
from shirushi_network.layout import Layout
from shirushi_network.member_bundle import is_here
from shirushi_network.member_files import MemberKeysError
from shirushi_network.topology import Member, Topology
from shirushi_network.topology_file import read_topology


def layout_of(data: Path | None) -> Layout:
    """Return the layout of the folder named, or of the usual one; raises ConsortiumError if it is a file."""
    root = data_folder(data).absolute()
    if root.exists() and not root.is_dir():
        raise ConsortiumError(f"{root} is not a folder: name the consortium's data folder with --data")
    return Layout(root)


def topology_of(layout: Layout) -> Topology:
    """Read a data folder's topology; raises ConsortiumError saying how one gets there, InvalidInputError."""
    if not layout.topology.exists():
        raise ConsortiumError(
            f"no topology in {layout.root}: `shirushi member init ID --topology FILE` puts it there, with your keys"
        )
    return read_topology(layout.topology)


@dataclass(frozen=True, slots=True)
class ChosenMember:
    """A member that a command was given, and the data folder it is looked for in."""

    layout: Layout
    member: Member

    @property
    def home(self) -> Path:
        """Its folder, if its keys are here."""
        return self.layout.members / self.member.id


def chosen_member(member_id: str, data: Path | None) -> ChosenMember:
    """Look a member up in the data folder's topology; raises ConsortiumError, InvalidInputError."""
    layout = layout_of(data)
    return ChosenMember(layout, topology_of(layout).member(member_id))


def local_home(chosen: ChosenMember) -> Path:
    """Return the folder of a member whose keys are here; raises MemberKeysError for any other."""
    if not is_here(chosen.layout, chosen.member):
        raise MemberKeysError(
            f"the keys of {chosen.member.id} are not in {chosen.layout.members}: give the command where they are, or make "
            f"them with `shirushi member init {chosen.member.id}`"
        )
    return chosen.home

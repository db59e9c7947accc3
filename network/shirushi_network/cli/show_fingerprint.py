"""Fingerprints as commands show them."""

from __future__ import annotations

from shirushi_client.cli.output import say
from shirushi_network.fingerprints import in_two_lines


def say_fingerprint(digest: bytes) -> None:
    """Print a fingerprint for people to read to each other."""
    first, second = in_two_lines(digest)
    say(f"fingerprint   {first}")
    say(f"              {second}")

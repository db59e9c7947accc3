"""What tests of several floors share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.support.live_consortium import LiveConsortium

# A busy machine is no fault of what is tested: examples are bounded in number, not in time.
settings.register_profile("shirushi", deadline=None)
settings.load_profile("shirushi")


@pytest.fixture(scope="session")
def live_consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveConsortium]:
    """A consortium in a process of its own. Tests that share it leave it running, with every member up.

    It is brought up under the most generous umask: what has to be private is so by its own mode.
    """
    umask = os.umask(0)
    try:
        live = LiveConsortium.at(tmp_path_factory.mktemp("live") / "consortium")
    finally:
        os.umask(umask)
    yield live
    live.down()

"""What cities, members and recipients do, on real Fabric: the very tests of the embedded engine.

`live_consortium` is, in this folder, a consortium of Fabric's own nodes.
"""

from __future__ import annotations

import pytest
from tests.network.test_demo import (
    test_the_whole_story_comes_out_as_expected_and_leaves_nothing_running as demo_comes_out_as_expected,
)
from tests.network.test_main_scenario import *  # noqa: F403
from tests.network.test_two_issuers import *  # noqa: F403


@pytest.fixture
def engine(fabric: None) -> str:
    return "native"


test_the_demo_comes_out_as_expected_and_leaves_nothing_running = demo_comes_out_as_expected

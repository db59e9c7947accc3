"""Connections that break and issuers that are killed, with real Fabric behind: the very tests of the embedded engine."""

from __future__ import annotations

from tests.faults.test_issuer_killed import *  # noqa: F403
from tests.faults.test_lost_replies import *  # noqa: F403

"""The anchors contract as a chaincode service runs it: with this machine's clock."""

from __future__ import annotations

import time

from shirushi_chaincode.shell import AnchorsChaincode

chaincode = AnchorsChaincode(time.time)

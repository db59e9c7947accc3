"""What can go wrong in bringing a consortium up, and in steering one.

ConsortiumError
 ├─ NotRunningError      nothing answers for this data folder
 ├─ StartError           the node did not start; the text is the reason it gave
 └─ ControlError         the node refused, or did not answer in time
"""

from __future__ import annotations

from shirushi_core.errors import ShirushiError


class ConsortiumError(ShirushiError):
    """Base of this floor's errors."""


class NotRunningError(ConsortiumError):
    """No consortium runs for a data folder."""


class StartError(ConsortiumError):
    """The node's process did not come up."""


class ControlError(ConsortiumError):
    """The running node refused a request, or did not answer in time."""

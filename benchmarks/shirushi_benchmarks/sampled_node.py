"""The process of an embedded consortium with its time looked at: `python -m shirushi_benchmarks.sampled_node DATA READY_FD OUT`.

Sampling begins at the first SIGUSR1 and ends at the second; when the process has ended, OUT holds {what: seconds of processor time}.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from types import FrameType

from shirushi_benchmarks.sampling import Sampler
from shirushi_network import daemon
from shirushi_network.files import write_atomically


def main() -> int:
    """Run the daemon with a sampler that signals steer."""
    out, sampler = Path(sys.argv.pop()), Sampler()
    used: dict[str, float] | None = None
    runs = False

    def steer(_: int, __: FrameType | None) -> None:
        nonlocal used, runs
        if runs:
            used = sampler.stop()
        else:
            sampler.start()
        runs = not runs

    signal.signal(signal.SIGUSR1, steer)
    code = daemon.main()
    if used is not None:
        write_atomically(out, json.dumps(used).encode())
    return code


if __name__ == "__main__":
    sys.exit(main())

"""The process of an embedded consortium with its time looked at: `python -m shirushi_benchmarks.sampled_node DATA READY_FD OUT`.

Sampling begins at the first SIGUSR1; at the second it ends, and OUT holds {what: seconds of processor time}.
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
    out, sampler, runs = Path(sys.argv.pop()), Sampler(), False

    def steer(_: int, __: FrameType | None) -> None:
        nonlocal runs
        if runs:
            write_atomically(out, json.dumps(sampler.stop()).encode())
        else:
            sampler.start()
        runs = not runs

    signal.signal(signal.SIGUSR1, steer)
    return daemon.main()


if __name__ == "__main__":
    sys.exit(main())

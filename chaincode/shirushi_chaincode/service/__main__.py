"""`python -m shirushi_chaincode.service`."""

from __future__ import annotations

import os
import sys

# gRPC's own log lines say nothing that an error does not say better; it reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

try:
    from shirushi_chaincode.service.command import main
except ModuleNotFoundError as error:
    sys.exit(
        f"shirushi_chaincode.service: needs the module {error.name}, which is not installed; install shirushi[chaincode]"
    )

sys.exit(main())

"""The guide's chaincode works as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fabric_protos.peer import chaincode_shim_pb2
from tests.chaincode.service.conftest import Served

GUIDE = Path(__file__).parents[3] / "docs" / "chaincode-service.md"


async def test_the_example_puts_and_gets(served: Served) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(source, names)
    peer = await served.peer(names["Basic"]().invoke)
    tx_id = await peer.propose("put", "key", "value")
    await peer.expect("WRITE_BATCH_STATE", chaincode_shim_pb2.WriteBatchState)
    await peer.answer(tx_id)
    assert (await peer.completed()).status == 200
    tx_id = await peer.propose("get", "key")
    await peer.expect("GET_STATE", chaincode_shim_pb2.GetState)
    await peer.answer(tx_id, b"value")
    assert (await peer.completed()).payload == b"value"
    assert (await peer.completed(await peer.propose("other"))).message == "no function other"

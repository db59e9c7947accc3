"""Finds a chaincode by the name of its module and attribute."""

from __future__ import annotations

import importlib
import inspect
from typing import cast

from shirushi_chaincode.service.errors import SettingsError
from shirushi_core.fabric.chaincode import Chaincode


def load_chaincode(name: str) -> Chaincode:
    """Return the chaincode at MODULE:ATTRIBUTE, made without arguments if it is a class; raises SettingsError."""
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise SettingsError(f"expected a chaincode as MODULE:ATTRIBUTE, found {name!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"the chaincode {name} needs the module {error.name}, which is not installed"
        ) from None
    found = getattr(module, attribute, None)
    if found is None:
        raise SettingsError(f"the module {module_name} has no {attribute}; name the chaincode in it")
    if inspect.isclass(found):
        try:
            found = found()
        except TypeError as error:
            raise SettingsError(f"the chaincode {name} cannot be made without arguments: {error}") from None
    if not inspect.iscoroutinefunction(getattr(found, "invoke", None)):
        raise SettingsError(f"expected {name} to have a method `async def invoke(self, stub)`, found none")
    return cast(Chaincode, found)

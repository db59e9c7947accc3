"""The peer's side of the chaincode shim protocol: chaincodes that run elsewhere, in any language."""

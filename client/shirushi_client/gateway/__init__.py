"""A client of the Fabric Gateway, usable with any chaincode."""

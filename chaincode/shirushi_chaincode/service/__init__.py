"""Chaincode as a service: runs a chaincode for the Fabric peers that dial it.

`python -m shirushi_chaincode.service` serves one from the command line, service.server.ChaincodeServer from a program.
"""

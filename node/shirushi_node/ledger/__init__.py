"""The embedded ledger: peers and orderer of all members in one process."""

"""What a member runs: the embedded ledger node."""

"""Commitments, Merkle trees, statements, receipts and verdicts; knows nothing of Fabric."""

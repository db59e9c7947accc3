"""Issuing: files or bytes in, anchored receipts out, exactly once."""

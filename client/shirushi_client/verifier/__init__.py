"""Verifying: a file and its receipt in, named checks and one verdict out."""

"""Measurements of the anchoring path, through public APIs only."""

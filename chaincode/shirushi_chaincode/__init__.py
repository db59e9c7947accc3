"""The anchors contract and the shells that run it."""

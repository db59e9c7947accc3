"""The rules of the anchors contract: pure functions over a state interface; same input, same writes.

No clock, no randomness, no floats, no order that depends on a set or on hashing.
"""

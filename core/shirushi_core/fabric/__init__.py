"""Fabric identities, messages, policies and channel configuration as pure functions."""

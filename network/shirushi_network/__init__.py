"""Topology, member keys, genesis block and bring-up of a consortium."""

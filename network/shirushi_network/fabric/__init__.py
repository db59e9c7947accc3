"""Running real Hyperledger Fabric: what its nodes are given, how they are started, joined and told what to run."""

"""What every floor stands on: proofs, and Fabric messages and rules; no I/O, no clock."""

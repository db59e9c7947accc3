"""The pilot, replayed: certificates of made-up residents, issued, submitted, verified, revoked."""

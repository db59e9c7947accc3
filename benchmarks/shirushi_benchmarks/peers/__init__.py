"""What a user would pick instead, measured on the same machine in the same run."""

"""The `shirushi` command."""

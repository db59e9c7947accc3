"""One member's witness: follows its own peer, derives the log and the status tree, and cosigns."""

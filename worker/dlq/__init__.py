"""Dead letters: what was given up and why, put back through the worker's own path, or put aside for good."""

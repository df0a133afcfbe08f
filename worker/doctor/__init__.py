"""Is this installation sound? Questions to everything that the worker talks to, and what the answers mean."""

"""The person at the terminal: one file a command."""

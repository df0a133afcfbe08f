"""What has been done: which calls were made, what became of them, and what Rokt acknowledged of each reservation."""

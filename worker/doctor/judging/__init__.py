"""What the answers mean. Pure."""

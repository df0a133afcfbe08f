"""When a call to Rokt may go."""

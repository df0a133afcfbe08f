"""Rokt's API: requests, answers, and the client that makes one attempt."""

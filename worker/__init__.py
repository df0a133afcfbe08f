"""Reads a shop's order events from Kafka and makes the matching calls to Rokt's Cart API."""

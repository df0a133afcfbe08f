"""Rokt calls us: its Transaction Export, into a topic of the partner's."""

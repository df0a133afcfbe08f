"""A bounded stretch of the topics again: planned, tried dry, run, reported (contract, section 7)."""

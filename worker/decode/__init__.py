"""From a record's bytes to an event, or to the reason why there is none."""

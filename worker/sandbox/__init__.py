"""A stateful stand-in for the Rokt API on a port of this machine, with faults to order."""

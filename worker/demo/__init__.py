"""The whole system on one machine: broker, Rokt's stand-in, the worker, a shop; and books that must balance."""

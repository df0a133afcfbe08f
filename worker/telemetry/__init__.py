"""What the worker says to the outside: names, traces, logs."""

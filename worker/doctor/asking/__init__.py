"""The questions: one file for each of those that the worker talks to."""

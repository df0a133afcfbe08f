"""The topics that the worker needs: what they are to be, what they are, and what is wrong with that."""

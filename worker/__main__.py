"""`python -m worker`: the same as `rokt-worker`."""

from worker.commands.main import main

main(prog_name="rokt-worker")

"""How long things take on this machine: `python -m benchmarks [NAME ...] [--quick]`, or `make bench`.

Every module here whose name does not begin with `_` has one function, `runs(quick)`, which yields what was timed and its
seconds, several times for everything.
"""

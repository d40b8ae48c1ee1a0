"""Measurements: what seeother costs, side by side with the same work done without it.

`python -m tests.bench` prints one line per budget. How to read it stands in `measure`.
"""

"""What is imported inside the environment of an upstream suite: recorders, and seeother in between.

Everything here runs under that environment's own Python and its own versions of pytest, Django and
the rest; nothing of the rest of `tests` can be imported.
"""

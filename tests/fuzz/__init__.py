"""Hostile input by the million: redirect targets, forged tokens, form bodies.

    python -m tests.fuzz --n 10000000 targets tokens
    python -m tests.fuzz --n 1000000 bodies --write docs/proof/fuzz.md

Each kind makes its input from pieces that attacks are made of and lets somebody else judge what was
accepted: ada (the URL parser of browsers), the list of tokens that were really minted, the parsers
of Werkzeug, Django and Starlette. A `Tally` is what came of it; `wrong` has to be empty.
"""

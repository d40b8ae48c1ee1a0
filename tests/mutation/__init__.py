"""Are the tests of the core good enough to notice a mistake in it? Every small one is tried.

A mutant is a module with one small mistake: a comparison turned round, a condition dropped, a
statement left out, a row of a table missing. The tests that concern the module run against it; if
none of them fails, the mutant survives, and so would the same mistake made by a person.

* `operators`   what counts as a small mistake, and all mutants of a source text
* `trial`       one mutant, tried in a process forked from a warm parent
* `__main__`    all mutants of the modules that decide: `make mutants`
* `survivors.toml`  those that no test can tell from the original, each with its reason

Ready-made are `mutmut` (3.8) and `cosmic-ray` (8.7). The first changes functions alone: the
table of the ledger would go unlooked at. The second changes no containers and starts
an interpreter for each mutant. Neither leaves out a `yield from`, and flows consist of those.
"""

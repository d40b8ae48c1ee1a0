"""The test suites of other projects, once as they come and once with seeother in between.

    make upstream                        every suite
    make upstream ARGS="flask webtest"   those whose names begin like that; ARGS=--list names them

A suite shows that seeother does no harm, and that a drop-in is one: whatever passed without it
passes with it. What does not is listed in `expected`, by the id of the test and with its reason.
Every other difference is a failure; so is a listed one that does not happen any more, a suite that
ran fewer tests than it has, and a run in which seeother saw fewer requests than there are.

    make upstream ARGS=--lint            with checkers of WSGI and ASGI on both sides of seeother

Then the bare run has a checker, too. What fails there is a fault of a test or its client; what
fails only with seeother between two checkers is one of ours.

Nothing of those projects is kept here. Their tests come as source distributions, by name and in the
version of constraints.txt, and run in environments of their own below `.upstream/`; that folder can
be deleted at any time. This needs a package index, so it is no part of `make test`.

`projects` fetches, `suites` says what runs, `running` runs it, `results` compares; `inside` is what
is imported in those environments.
"""

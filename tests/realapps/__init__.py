"""Real apps, unmodified, with one line around them.

    make realapps                       every app
    make realapps ARGS="trac wagtail"   some of them; ARGS=--list names them

Each app is installed by its name from a package index, created, started behind real servers and
signed in to. Then its form is sent as people and browsers do: once, again by refresh, by double
clicks, in a burst, from two tabs; and with servers that are killed in between. What is counted are
the rows in the app's own database, bare and with seeother.

`app` says what has to be known of an app and installs it, `site` creates it and runs its servers,
`person` is who sits in front of it, `play` has the scenes; `apps` has a module for each app.

Nothing of the apps is kept here. This needs a package index, so it is no part of `make test`; the
player itself is (`test_play`), with a tiny app of our own.
"""

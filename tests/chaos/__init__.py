"""A network that loses, cuts, doubles and delays, between people who send forms and real servers.

`proxy` breaks what goes by, by dice that each request carries with it; `person` fills in a form and
sends the same bytes until it is confirmed, clicks twice, goes back and sends again; `sites` is the
same small site behind every adapter; `storms` puts them together on a store, and lets the database
of effects judge.
"""

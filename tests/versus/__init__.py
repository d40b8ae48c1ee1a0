"""The same small shop on three frameworks, bare and with seeother, attacked over HTTP.

    make versus                       all of it; writes docs/versus.md and its picture
    make versus ARGS=flask            one framework; prints its columns
    SCALE=0.1 make versus             a tenth of the trials

`apps/` are the shops, `shops` starts them on the servers that people use, `browser` is who comes,
`attacks` and `repeats` are what goes wrong in life, `report` and `plot` what is written of it.
"""

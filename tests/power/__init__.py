"""Power cuts: what is on the disk when nobody had the time to write the rest.

kill -9 cannot show this, because the page cache survives it. So a real run of the app is recorded
(`record`, under strace): every write, truncation, deletion and sync of its files, and every answer
that it gave, in the order in which the kernel saw them. A cut is any moment of that recording.
`disk` builds what may then be found: what was synced is there, of the rest any part of any write,
in pieces as a disk writes them (512 or 4096 bytes), files and deletions whose folder was not synced
included. `cuts` puts an app on it and sends everything again.
"""

"""A deterministic simulation of people, processes, stores and everything that goes wrong with them.

One thread, one clock, one source of chance: a schedule is a seed, and the same seed gives the same
trace byte by byte. What runs inside is the library itself (flows, ledger, stores); simulated is the
world around it: who asks when, whose answer is lost, who dies, who is only slow.

* `world`       time, the order of events, processes
* `faults`      what goes wrong in a schedule, and how often
* `backends`    the stores under test and the transactions of the app, in memory; `sqlite` for real
* `worker`      one request in one process: steps a flow op by op; `aftermath` goes on beside it
* `clients`     tokens, forms and people; `network` between them and the processes
* `effects`     the app: its table and its view
* `pages`       people who read: messages, tabs, prefetching
* `sessions`    people whose requests write to one session at the same time
* `scenes`      who does what in a schedule of each scenario, and how it heals
* `judging`     looks at the ledger before and after every op
* `invariants`  what must hold, with the numbers of the protocol; `promises` of messages, sessions
* `mutants`     planted bugs, each of which must be caught; `bugs` are the longer ones
* `runner`      many schedules, several processes
"""

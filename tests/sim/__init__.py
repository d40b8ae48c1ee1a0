"""A deterministic simulation of people, processes, stores and everything that goes wrong with them.

One thread, one clock, one source of chance: a schedule is a seed, and the same seed gives the same
trace byte by byte. What runs inside is the library itself (flows, ledger, stores); what is simulated
is the world around it: who asks when, whose answer is lost, who dies, who is only slow.

* `world`       time, the order of events, processes
* `faults`      what goes wrong in a schedule, and how often
* `backends`    the stores under test and the transactions of the app, in memory and on SQLite
* `worker`      one request in one process: steps a flow, op by op
* `clients`     tokens, forms, people and the network between
* `effects`     the app: its table and its view
* `pages`       people who read: messages, tabs, prefetching
* `sessions`    people whose requests write to one session at the same time
* `scenes`      who does what in a schedule of each scenario, and how it heals
* `invariants`  what must hold, with the numbers of the protocol; `promises` those of messages
* `mutants`     planted bugs; each must be caught
* `runner`      many schedules, several processes
"""

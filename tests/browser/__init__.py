"""Real browsers against real servers.

* `chromium`  Chromium as its users have it, driven with native clicks and keys;
* `firefox`   Firefox over WebDriver BiDi;
* `proxy`     a proxy between the two that delays, loses and spoils answers on request;
* `server`    `seeother board` and its like as processes, to be stopped, killed and started again;
* `site`      a tiny site without seeother: what naked forms do, and what the harness is proved on;
* `polling`   the only way to wait.

The fixtures `chromium` and `firefox` stand in tests/conftest.py, for every folder.
"""

"""The clients that send forms by script, as their users load them, in a real browser.

* `scripts`   which scripts, and where they are fetched from: never stored here;
* `page`      the page of a small app: a client is told of the form in its markup;
* `site`      that app, the same under Flask, Starlette and Django;
* `visitor`   somebody who uses it in Chromium;
* `promises`  what is promised, the same for every client.

`make clients` fetches the scripts and runs the tests. What needs none of them (a plain form,
`fetch()`, XMLHttpRequest) is in tests/browser/test_scripts.py and runs with everything else.
"""

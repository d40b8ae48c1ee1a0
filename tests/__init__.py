"""The tests of seeother. Each test's docstring states one promise."""

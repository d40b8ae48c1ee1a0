"""The apps, one module each: how it is installed, created and entered, and what is counted."""

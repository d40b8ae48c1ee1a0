"""`python -m seeother`."""

from .cli import main

main()

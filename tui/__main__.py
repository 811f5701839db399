"""`python -m tui` is `mercure-tui`."""

from tui import main

main()

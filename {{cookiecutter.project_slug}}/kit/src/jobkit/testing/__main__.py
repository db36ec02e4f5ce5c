"""See `throwing`."""

from .throwing import main

main()

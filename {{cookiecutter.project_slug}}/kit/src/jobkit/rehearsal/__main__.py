"""See `redirection`."""

from .redirection import main

main()

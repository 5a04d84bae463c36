"""`python -m cli` is `lintel`."""

from cli.main import main

main()

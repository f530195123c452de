"""`python -m adapter.cli` is `casebridge`."""

from adapter.cli import main

main()

"""The numbers that casebridge publishes, measured: `python -m tests.bench --help`."""

"""smart-fetch's own command line: `program.py bulk --fhir-url BASE FOLDER`."""

from smart_fetch.cli.main import main_cli

main_cli()

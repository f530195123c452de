"""A process that writes the exports that are asked for, until it is killed: `python -m tests.sync.exporting.writer`, by the environment."""

from threading import Event

from adapter.config import Settings
from adapter.store.connect import open_database
from adapter.store.repository import Repository
from adapter.sync.exporting.turns import exporting

if __name__ == "__main__":
    settings = Settings.from_env()
    with open_database(settings) as database, exporting(Repository(database), settings.export_folder):
        Event().wait()

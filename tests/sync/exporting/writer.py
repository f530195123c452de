"""A process that writes the exports that are asked for, until it is killed: `python -m tests.sync.exporting.writer`, by the environment."""

from functools import partial
from threading import Event

from adapter.config import Settings
from adapter.store.connect import open_database
from adapter.store.repository import Repository
from adapter.sync.exporting import pace, selection
from adapter.sync.exporting.turns import exporting

if __name__ == "__main__":
    # Pieces of three resources: a type of six is written in two, between which the process can be killed.
    pace.PIECE = pace._FEWEST = 3
    selection.Pace = partial(pace.Pace, count=3)
    settings = Settings.from_env()
    with open_database(settings) as database, exporting(Repository(database), settings.export_folder(database.name)):
        Event().wait()

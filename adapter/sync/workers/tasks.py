"""The work that may outgrow one process: which tasks there are, and who does them. By one setting it is this process, or workers."""

from functools import partial

from adapter.config import Settings
from adapter.store.repository import Repository
from adapter.sync.exporting.exports import TASK as EXPORT
from adapter.sync.exporting.write import write_export
from adapter.sync.loading.load import load_files
from adapter.sync.loading.reindex import index_type
from adapter.sync.workers import jobs
from adapter.sync.workers.jobs import Arguments, Elsewhere, Say, Tasks, Work
from adapter.sync.workers.shares import pull_type, push_slice
from adapter.sync.workers.worker import offer_by


def _export(work: Work, arguments: Arguments) -> None:
    write_export(Settings.from_env().export_folder(work.repository.database.name), work, arguments)


TASKS: Tasks = {"pull": pull_type, "push": push_slice, "load": load_files, "index": index_type, EXPORT: _export}


def workers(settings: Settings, repository: Repository, say: Say) -> Elsewhere | None:
    """Has jobs done by workers; None where the settings name none. Raises Invalid where the settings cannot be used."""
    if settings.workers is None:
        return None
    return partial(jobs.elsewhere, repository, offer_by(settings.workers, repository.database.name), say)


def here(repository: Repository) -> Elsewhere:
    """Has jobs done by this process."""
    return partial(jobs.here, TASKS, repository)

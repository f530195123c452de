"""The search index of a type, written anew."""

from contextlib import suppress

from adapter.errors import VersionConflict
from adapter.sync.workers.jobs import Arguments, Job, Work


def jobs(types: list[str]) -> list[Job]:
    """One for each type."""
    return [Job(f"index:{type}", "index", {"type": type}) for type in types]


def index_type(work: Work, arguments: Arguments) -> None:
    """Write the index of each resource of a type from its content."""
    for stored in work.repository.scan(arguments["type"]):
        work.check()
        # Another writer, who came first, has written it too.
        with suppress(VersionConflict):
            work.repository.reindex(stored)

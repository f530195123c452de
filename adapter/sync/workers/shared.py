"""A sync's work, shared with workers: named pieces of it, which are jobs under the lease on its remote."""

from collections.abc import Mapping
from dataclasses import dataclass

from pymongo.database import Database

from adapter.store.documents import Document
from adapter.store.state import State
from adapter.sync.lease import Lease
from adapter.sync.pulling.run import Progress
from adapter.sync.workers.jobs import DONE, Arguments, Elsewhere, Job
from adapter.sync.workers.remote_lease import job_id


@dataclass(frozen=True)
class Shared:
    """What workers do for one sync."""

    state: State
    database: Database[Document]
    remote: str
    held: Lease
    elsewhere: Elsewhere
    progress: Progress

    def done(self, task: str, wanted: Mapping[str, Arguments]) -> dict[str, Document]:
        """Have each of these done, by name, and what came of it; nothing of one that was taken away. Raises WorkFailed, Busy."""
        token = self.held.token
        jobs = {
            name: Job(job_id(self.remote, token, name), task, {"remote": self.remote, "lease": token, **wanted[name]}) for name in wanted
        }

        def tell() -> None:
            self.held.check()
            ended = sum(body["status"] == DONE for _, body in self.state.all("jobs", {"arguments.lease": token}))
            self.progress(f"{task} by workers, jobs", ended, len(jobs))

        results = self.elsewhere([*jobs.values()], tell)
        return {name: results[job.id] for name, job in jobs.items()}

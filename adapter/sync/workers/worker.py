"""Workers: Celery with Redis carries the ids of jobs to them and nothing else. What is to be done is in the store, and so is what was done.

Redis may lose a message, or keep it for a process that died: `jobs.elsewhere` offers again what nobody is at, so neither matters. Nothing
is taken for done by the queue, hence no result backend; a message is gone as soon as it is read.
"""

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from adapter import log
from adapter.errors import Invalid, StoreUnavailable
from adapter.store.repository import Repository
from adapter.sync.workers.jobs import Offer, Tasks, perform

_TASK = "casebridge.perform"
_SECONDS = 5.0


def offer_by(url: str, database: str) -> Offer:
    """What sends ids of jobs to the workers of this database. Raises Invalid; when called, StoreUnavailable."""
    app = _celery(url, database)

    def offer(ids: Sequence[str]) -> None:
        from kombu.exceptions import OperationalError

        try:
            for id in ids:
                app.send_task(_TASK, args=[id], retry=False)
        except OperationalError:
            raise StoreUnavailable("The queue at CASEBRIDGE_WORKERS does not answer; what is done is kept. Is Redis running?") from None

    return offer


def serve(url: str, repository: Repository, tasks: Tasks, name: str) -> None:
    """Do jobs as they come, one at a time, until asked to end (SIGTERM, Ctrl-C); one under way is given back before its next write."""
    from celery.worker import state

    app = _celery(url, repository.database.name)

    def ending() -> bool:
        return state.should_stop is not None or state.should_terminate is not None

    def do(id: str) -> None:
        try:
            perform(tasks, repository, id, ending=ending)
        except Exception as error:  # noqa: BLE001 - the worker's loop: Celery would log the text, which can hold patient data
            log.event("job.broken", level=logging.ERROR, job=id, error=type(error).__name__)

    app.task(name=_TASK)(do)
    # One process, one job: the driver's connections do not survive a fork.
    options = ["--pool=solo", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING", f"--hostname={name}"]
    app.worker_main(["--quiet", "worker", *options])


def _celery(url: str, database: str) -> Any:
    if urlsplit(url).scheme not in ("redis", "rediss"):
        raise Invalid("CASEBRIDGE_WORKERS is the URL of a Redis server, such as redis://127.0.0.1:6379/0.")
    try:
        from celery import Celery
    except ModuleNotFoundError:
        raise Invalid("CASEBRIDGE_WORKERS needs Celery: pip install 'casebridge[workers]'.") from None
    app = Celery("casebridge", broker=url, set_as_current=False)
    app.conf.update(
        # Databases that share a Redis do not get each other's jobs.
        task_default_queue=f"casebridge.{database}",
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"socket_connect_timeout": _SECONDS, "socket_timeout": 60.0},
    )
    return app

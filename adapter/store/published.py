"""What casebridge publishes about itself, kept in the store, so that it is read and searched like any resource."""

import hashlib

from adapter.errors import VersionConflict
from adapter.ig.package import PACKAGE, archive, published
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import State

# Comes with the first response that answers it, and then goes to remotes as that does.
_WITH_ITS_ANSWERS = "Questionnaire"
_MARK = "published"
_AT_ONCE = 50


def publish(repository: Repository) -> int:
    """Bring the store to what is published now; how many resources that changed. Nothing is read where it is the same as last time.

    They count as born in the package, not here, so they are never owed to a remote. What somebody else made under such an id is left.
    """
    state = State(repository.database)
    mark = {"digest": hashlib.sha256(archive()).hexdigest()}
    if state.get("state", _MARK) == mark:
        return 0
    wanted = [raw for raw in published().values() if raw["resourceType"] != _WITH_ITS_ANSWERS]
    written = 0
    for start in range(0, len(wanted), _AT_ONCE):
        changes = []
        for raw in wanted[start : start + _AT_ONCE]:
            now = repository.find(raw["resourceType"], raw["id"])
            if now is None or now.born == PACKAGE:
                changes.append(Change(raw["resourceType"], raw["id"], raw, now.version if now else 0, born=PACKAGE))
        try:
            written += len(repository.commit(changes))
        except VersionConflict:
            # Another process publishes the same at the same time; whoever starts next looks again.
            return written
    state.put("state", _MARK, mark)
    return written

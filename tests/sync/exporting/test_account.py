"""That an export was written is in the account of accesses once, whoever wrote it to its end."""

from pathlib import Path
from typing import Any

import pytest

from adapter.errors import Busy
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.exporting import account
from adapter.sync.exporting.asked import SYSTEM, Asked
from adapter.sync.exporting.exports import Exports
from adapter.sync.exporting.write import write_export
from adapter.sync.workers.jobs import Work


def test_an_export_that_is_taken_over_at_its_very_end_is_in_the_account_once(
    database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(database)
    repository.commit([Change("Basic", "b", {"resourceType": "Basic"}, 0)])
    exports, told = Exports(repository), account.written
    export = exports.begin(Asked(SYSTEM, "https://x.example/fhir/$export"), owner="north")

    def taken_over(*given: Any) -> Any:
        exports.take_up(export.id)
        return told(*given)

    state = State(database)
    with state.session() as session:
        work = Work(repository, state, session, lambda _: None, lambda: None, False)
        monkeypatch.setattr(account, "written", taken_over)
        with pytest.raises(Busy):
            write_export(tmp_path, work, {"export": export.id})
        assert [*repository.scan("AuditEvent")] == []
        monkeypatch.setattr(account, "written", told)
        for _ in range(2):
            write_export(tmp_path, work, {"export": export.id})
    [event] = [stored.raw for stored in repository.scan("AuditEvent")]
    files = " ".join(f"{made.name}:{made.count}" for made in exports.find(export.id, "north").files)
    assert files in str(event["entity"])

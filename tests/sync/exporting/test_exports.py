"""What is remembered of exports."""

import pytest
from pymongo.collection import Collection

from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.exporting.asked import SYSTEM, Asked
from adapter.sync.exporting.exports import Exports

KINDS = ("jobs", "served_exports")


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_beginning_that_is_killed_nothing_is_left_to_be_counted_or_done(database, monkeypatch, kind):
    def end(of, name):
        def write(self, *given, **more):
            if self.name == kind:
                raise Killed
            return of(self, *given, **more)

        monkeypatch.setattr(Collection, name, write)

    exports, state = Exports(Repository(database)), State(database)
    exports.begin(Asked(SYSTEM, "https://x.example/fhir/$export"))
    assert [len([*state.all(each)]) for each in KINDS] == [1, 1]
    for name in ("insert_one", "replace_one"):
        end(getattr(Collection, name), name)
    with pytest.raises(Killed):
        exports.begin(Asked(SYSTEM, "https://x.example/fhir/$export"))
    assert (exports.waiting(None), exports.kept(None)) == (1, 1)
    assert [len([*state.all(each)]) for each in KINDS] == [1, 1]

from datetime import UTC, datetime
from adapter.store.repository import Repository
from tests.casework.shelf import Shelf
from tests.cli.conftest import *
def test_it(casebridge, database, hospital):
    shelf=Shelf(Repository(database)); now=datetime.now(UTC).isoformat(timespec="seconds")
    shelf.case("alma", tier="low", opened=now); shelf.contact("alma", now)
    from tests.casework.conftest import person
    person(shelf.repository,"dana")
    shelf.flagged("alma","other",at=now)
    casebridge("watch","--once")
    casebridge("remote","add","ward",hospital.base_url,"--sandbox")
    r=casebridge("sync","ward"); print(r.code, r.out, [l for l in r.err.splitlines() if "DEBUG" not in l and "INFO" not in l])
    r=casebridge("sync","ward"); print(r.code, r.out)
    print(casebridge("dead","list","ward").out)
    assert 0

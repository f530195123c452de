"""What a FHIR write may not do to a case whose process is led here: the rules of case management hold by whatever door a record comes.

A case that is led elsewhere, such as at another casebridge that sends it, is not judged here.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from pymongo.client_session import ClientSession

from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS
from adapter.casework import procedures
from adapter.casework.cases import led_here
from adapter.casework.checks import Proposed, obey
from adapter.casework.desk import Actor, Desk
from adapter.errors import NotNow
from adapter.fhir.resource import Raw
from adapter.mapping.registry import mapping_for
from adapter.mapping.rules import read_all
from adapter.mapping.table import Mapping
from adapter.store.claims import Turn, pass_on, turn
from adapter.store.repository import Also, Repository
from server.fhir.writes import Write

_BY_PROCESS = {"step": "$transition", "status": "$transition", "status_history": "$transition", "case_manager": "$assign"}
_NOBODY = Actor("")
_KEPT = "A case that is led here is not deleted: a supervisor asks $transition with TR-24, which says that it was entered in error."


def guard(repository: Repository, due: Sequence[Write]) -> Also | None:
    """What the transaction of these writes does besides, so that nobody decides on one of their cases at the same moment; mostly nothing.

    Raises NotNow `made_elsewhere` where they would move a case on, `case_kept` where they would delete one, RuleViolated or NotNow with the
    code of a rule that they would break.
    """
    for write in due:
        if write.raw is None and write.type == "EpisodeOfCare" and led_here(repository, write.id):
            raise NotNow(_KEPT, code="case_kept", expression=["EpisodeOfCare"])
    of_case: dict[str, list[tuple[str, Mapping, Raw]]] = defaultdict(list)
    acts: dict[str, list[Proposed]] = defaultdict(list)
    for write in due:
        if write.raw is None:
            continue
        mapping = mapping_for(write.raw)
        if mapping and (case := _case(write.reference, mapping, write.raw)):
            of_case[case].append((write.reference, mapping, write.raw))
        elif write.type == "Procedure" and not mapping and (act := procedures.proposed(repository, write.reference, write.raw)):
            acts[act.case].append(act)
    turns = []
    for case in {**of_case, **acts}:
        if not led_here(repository, case.partition("/")[2]):
            continue
        turns.append(turn(repository.database, case))
        proposed = [
            Proposed(mapping.concept, reference, mapping.extract(raw).fields, _before(repository, reference))
            for reference, mapping, raw in of_case[case]
        ] + acts[case]
        for each in proposed:
            _process_kept(each)
        obey(Desk(repository, _NOBODY, repository.clock), [each for each in proposed if _whole(each)])
    return partial(_use, repository, turns) if turns else None


def _case(reference: str, mapping: Mapping, raw: Raw) -> str | None:
    """The case that the resource belongs to, or is; only that is read of it, because most belong to none."""
    if mapping.concept == "case":
        return reference
    return read_all([rule for rule in mapping.rules if rule.attr == "case"], raw, []).get("case")


def _before(repository: Repository, reference: str) -> Fields:
    stored = repository.find(*reference.split("/"))
    return stored.record | stored.local if stored and not stored.deleted else {}


def _whole(record: Proposed) -> bool:
    """Whether it is a record of ours in all: of another system's, what it leaves open is not ours to judge."""
    return record.concept not in RECORDS or not RECORDS[record.concept].of(record.fields).problems()


def _process_kept(case: Proposed) -> None:
    moved = [name for name in _BY_PROCESS if case.concept == "case" and case.fields.get(name) != case.before.get(name)]
    if moved:
        ways = " and ".join(dict.fromkeys(_BY_PROCESS[name] for name in moved))
        raise NotNow(f"The process of this case is led here: ask {ways}.", code="made_elsewhere", expression=moved)


def _use(repository: Repository, turns: Sequence[Turn], session: ClientSession) -> None:
    for each in turns:
        pass_on(repository.database, each, session)

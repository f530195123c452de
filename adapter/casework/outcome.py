"""What came of a case, as far as its record tells: proposed for the review of outcomes, which a person makes."""

from adapter.care.follow_up import policy
from adapter.cases.facts import Facts
from adapter.cases.outcomes import computed
from adapter.cases.record import Fields
from adapter.casework.facts import records_of
from adapter.casework.paid import paid
from adapter.casework.records import read
from adapter.clock import Clock, utc_now
from adapter.store.repository import Repository


def proposed(repository: Repository, id: str, clock: Clock = utc_now) -> Fields:
    """Fields of an outcome record, as of today: readmission (V-15), length of stay, adherence, attainment, cost, emergency visits.

    Only what can be known is there. Raises NotFound, Gone for the case.
    """
    case = read(repository, "case", id)
    facts = Facts(records_of(repository, case.reference, case.fields))
    found = computed(facts, case.reference, clock().date(), policy().readmission_days, paid(repository, case.fields))
    return {"client": case.fields["client"], "case": case.reference, **found}

"""When a case must be looked after: the times of `policies/follow_up_1.json`. How often a client is contacted, the models say (`model`)."""

from adapter.care import data
from adapter.care.data import Named

_FOLDER, _OURS, _SITE = "policies", "follow_up_1", "follow_up_site"


class Policy(Named, frozen=True, kw_only=True):
    """Times in days, hours or business days (Monday to Friday)."""

    version: str
    title: str
    source: str
    step_business_days: dict[str, int]
    """By step, in which it should be done."""
    first_service_days: int
    """From the opening of the case, where no model demands less."""
    discharge_contact_business_days: int
    """In which somebody speaks to a client who came out of hospital (C-20)."""
    discharge_visit_days: dict[str, int]
    """By tier, in which the client is seen then."""
    readmission_days: int
    """A stay that begins up to so many days after a discharge is a readmission (V-15)."""
    urgent_hours: int
    missed_appointment_business_days: int
    emergency_visit_business_days: int
    barrier_business_days: int
    denial_business_days: int
    authorisation_notice_days: int
    """So long before it ends, an authorisation is asked for again."""
    acknowledgement_business_days: int
    """So long after an urgent task, or any of a transition, was due a supervisor is told."""
    referral_business_days: dict[str, int]
    """By priority, in which a provider answers a referral, and a receiver takes over, where no day was named."""
    recent_days: int
    """What is longer ago leads to nothing new: a history that is imported makes no tasks."""

    def __post_init__(self) -> None:
        stated = [getattr(self, name) for name in self.__struct_fields__]
        times = [number for each in stated for number in (each.values() if isinstance(each, dict) else [each]) if isinstance(number, int)]
        if min(times) < 1:
            raise ValueError("a time is at least 1")


def policy() -> Policy:
    """The times that this site works by: its own `policies/follow_up_site.json` where it has one.

    Raises Invalid, naming file and path, for a file that breaks the rules above.
    """
    return data.read(_FOLDER, _SITE if _SITE in data.names(_FOLDER) else _OURS, Policy)

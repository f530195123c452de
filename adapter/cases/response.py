"""An administered instrument with its answers."""

from adapter.cases.fields import Choice, DateTime, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Answer, Score


class Response(Record):
    """Keys: answers by link_id (of leaf items, wherever they are nested), scores by name.

    `instrument` is the canonical URL of the questionnaire, with its version. Scores are computed from the answers and kept only here.
    """

    concept = "response"
    LOCAL = frozenset({"scores"})

    client = Ref("Patient")
    case = Ref("EpisodeOfCare")
    encounter = Ref("Encounter")
    instrument = Text()
    status = Choice("in_progress", "completed", "amended", "entered_in_error", "stopped", required=True)
    authored_at = DateTime()
    author = Ref("Device", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Organization")
    source = Ref("Patient", "Practitioner", "PractitionerRole", "RelatedPerson")
    answers = parts(Answer, ("link_id",))
    scores = parts(Score, ("name",))

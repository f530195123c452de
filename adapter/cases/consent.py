"""What the client agreed to, for whom."""

from adapter.cases.fields import Choice, DateTime, Part, Ref, refs
from adapter.cases.record import Record
from adapter.cases.values import Period


class Consent(Record):
    """Keys: none; `actor` is whom it is about (a payer, a support person), absent for everybody in that scope.

    `scope` sharing: consents from elsewhere that do not say whether with a payer or with the client's own people.
    """

    concept = "consent"

    client = Ref("Patient", required=True)
    status = Choice("draft", "proposed", "active", "rejected", "inactive", "entered_in_error", required=True)
    scope = Choice("treatment", "sharing", "sharing_payer", "sharing_support", "research", required=True)
    decision = Choice("permit", "deny")
    agreed_at = DateTime()
    performers = refs("Patient", "RelatedPerson", "Practitioner", "PractitionerRole", "Organization")
    actor = Ref("Organization", "RelatedPerson", "Practitioner", "PractitionerRole", "CareTeam")
    period = Part(Period)
    source = Ref("DocumentReference", "QuestionnaireResponse", "Consent", "Contract")

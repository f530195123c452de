"""Who asks: the one value that everything behind the gate knows of a caller."""

from dataclasses import dataclass

from adapter.access.viewer import Viewer
from adapter.store.documents import Document
from server.auth.grant import Grant
from server.auth.roles import ROLES, Role


@dataclass(frozen=True)
class Principal:
    """A client or a person, or a client for a person. References are local, such as `Organization/north`."""

    client: str
    """The client's id; `console` for a person at the console."""
    role_name: str
    scope: str = ""
    user: str | None = None
    organisation: str | None = None
    fhir_user: str | None = None
    """Whom the person is in FHIR, such as `Practitioner/dana`: what they do is attributed to them."""
    patient: str | None = None
    """The id of the patient for whom an app was started."""
    encounter: str | None = None
    purpose: str | None = None
    """A code of http://terminology.hl7.org/CodeSystem/v3-ActReason, such as HPAYMT."""
    rate: float | None = None
    """How many requests a second it may send, where that is not what all may."""

    @property
    def name(self) -> str:
        """Its name among all who may ask: the client's id, and for whom it asks."""
        return f"{self.client} {self.user}" if self.user else self.client

    @property
    def acts_as(self) -> str | None:
        """Whom it acts as in the record: nobody (empty) for a person who is not in it; None for a service, which says for whom it asks."""
        return self.fhir_user or ("" if self.user else None)

    @property
    def role(self) -> Role:
        return ROLES[self.role_name]

    @property
    def grant(self) -> Grant:
        """What its scopes allow."""
        return Grant.of(self.scope, self.patient)

    @property
    def viewer(self) -> Viewer:
        """Who it is to the rules of who sees what: adapter/access."""
        references = frozenset(filter(None, (self.organisation, self.fhir_user)))
        return Viewer(self.role_name, references, self.purpose or self.role.purpose, self.organisation, name=self.name)

    def document(self) -> Document:
        """As it is kept with a token."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def owner(self) -> Document:
        """As it is kept with what belongs to it alone, its Subscriptions."""
        return {"name": self.name, **self.document()}

    @staticmethod
    def read(document: Document) -> "Principal":
        """From what is kept with a token, or with a Subscription."""
        return Principal(**{name: value for name, value in document.items() if name in Principal.__dataclass_fields__})

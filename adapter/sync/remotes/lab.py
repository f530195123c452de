"""Where a remote is probed: synthetic resources that are made there, looked at, and taken away again whatever happens."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from adapter.clock import Clock
from adapter.config import BASE, SYNTHETIC_TAG
from adapter.errors import MultipleMatches, RemoteError, RemoteFatal
from adapter.fhir import bundle as bundles
from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient
from adapter.fhir.exchange import FHIR_JSON, Ask, Params
from adapter.fhir.resource import Raw, has_tag
from adapter.sync.remotes.remote import Remote

# Carried by whatever a probe makes; the value begins with the mark of the run.
SYSTEM = f"{BASE}/NamingSystem/probe"
# What probes make, in the order of reference.
MADE = ("Patient", "Observation", "Subscription")
FRESH = {"Cache-Control": "no-cache"}
_LOOKS = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0)
"""The waits in seconds between looks for something that a search should find: 12 s in all."""


@dataclass(frozen=True)
class Reply:
    """What came back, whatever its status. `raw` is None for an error, which the client reads itself, and for no body."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: Raw | None = None

    @property
    def done(self) -> bool:
        return 200 <= self.status < 300

    @property
    def body(self) -> Raw:
        return self.raw or {}

    @property
    def version(self) -> str | None:
        return bundles.version(bundles.meta(self.body).get("versionId")) or bundles.version(self.headers.get("ETag"))


@dataclass
class Lab:
    """One run of probes at a remote. `made` holds the Type/id of what has to be taken away again, in the order in which it was made."""

    remote: Remote
    client: FhirClient
    capability: Capability
    clock: Clock
    sleep: Callable[[float], None] = time.sleep
    mark: str = field(default_factory=lambda: uuid4().hex)
    made: dict[str, None] = field(default_factory=dict)
    delay: float = 0
    """Seconds after which a search was found to know what was written."""
    looks: int = 0
    """How often the last `found` looked."""

    def ask(
        self,
        method: str,
        path: str,
        body: Raw | list[Raw] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        params: Params | None = None,
        client: FhirClient | None = None,
    ) -> Reply:
        """One request and its answer, errors too. Raises RemoteError where there is none."""
        media = {"Content-Type": FHIR_JSON, "Prefer": "return=representation"} if body is not None else {}
        url = path if path.startswith(("http://", "https://")) else f"{self.remote.url.rstrip('/')}/{path}".rstrip("/")
        about = path.partition("?")[0] if not path.startswith("http") else "a link"
        ask = Ask(method, url, about, params or {}, body, {**media, **(headers or {})}, repeatable=method == "GET")
        try:
            answer = (client or self.client).exchange.send(ask)
        except MultipleMatches:
            return Reply(412)
        except RemoteError as error:
            if error.http_status is None:
                raise
            return Reply(error.http_status)
        return Reply(answer.status, answer.headers, answer.raw)

    def identifier(self, name: str) -> dict[str, str]:
        """The search for what was made under this name."""
        return {"identifier": bundles.token(SYSTEM, f"{self.mark}-{name}")}

    def resource(self, label: str, raw: Raw) -> Raw:
        """The resource, of a type that has a list of identifiers, with what says that it is a probe's; not made yet."""
        identifier = [{"system": SYSTEM, "value": value} for value in (self.mark, f"{self.mark}-{label}")]
        return {"meta": self.meta(), "identifier": identifier, **raw}

    def meta(self) -> Raw:
        """The tags of what a probe makes."""
        return {"tag": [SYNTHETIC_TAG, {"system": SYSTEM, "code": self.mark}]}

    def patient(self, label: str, **elements: Any) -> Raw:
        """A synthetic Patient, not made yet; some servers want a name and a gender."""
        person = {"resourceType": "Patient", "name": [{"family": "Probe", "given": ["Synthetic"]}], "gender": "unknown"}
        return self.resource(label, {**person, **elements})

    def make(self, raw: Raw) -> Raw:
        """The resource as the remote made it. Raises RemoteFatal where it refuses."""
        reply = self.post(raw)
        if reply.status != 201:
            raise RemoteFatal(f"It does not create the {raw['resourceType']} that is needed ({reply.status}).", http_status=reply.status)
        id = reply.body.get("id") or (bundles.place(reply.headers.get("Location")) or ("", "", ""))[1]
        return self.read(f"{raw['resourceType']}/{id}").body

    def post(self, raw: Raw, headers: Mapping[str, str] | None = None, client: FhirClient | None = None) -> Reply:
        """A create; what it made is taken away at the end.

        An answer of another status than 201 tells of what was there before, which is not ours to take away.
        """
        reply = self.ask("POST", raw["resourceType"], raw, headers, client=client)
        if reply.status == 201:
            self.remember(reply)
        return reply

    def put(self, raw: Raw, headers: Mapping[str, str] | None = None) -> Reply:
        """An update, without a condition unless the headers hold one."""
        reply = self.ask("PUT", f"{raw['resourceType']}/{raw['id']}", raw, headers)
        if reply.done:
            self.remember(reply)
        return reply

    def remember(self, reply: Reply) -> None:
        """See to it that what this answer tells of is taken away at the end."""
        place = bundles.place(reply.headers.get("Location") or reply.headers.get("Content-Location"))
        if place:
            self.made[f"{place[0]}/{place[1]}"] = None
        elif reply.body.get("id"):
            self.made[f"{reply.body['resourceType']}/{reply.body['id']}"] = None

    def read(self, reference: str) -> Reply:
        return self.ask("GET", reference, headers=FRESH)

    def ids(self, type: str, params: Params, headers: Mapping[str, str] | None = None) -> list[str]:
        """Ids on the first page of a search, in its order. Raises RemoteFatal where it is refused."""
        reply = self.ask("GET", type, params=params, headers=headers)
        if not reply.done:
            raise RemoteFatal(f"It refuses the search that is needed ({reply.status}).", http_status=reply.status)
        found = [entry.get("resource") or {} for entry in bundles.entries(reply.body)]
        return [raw["id"] for raw in found if raw.get("resourceType") == type and raw.get("id")]

    def found(self, name: str, number: int = 1) -> list[str]:
        """Ids of the Patients that were made under this name, looked for until there are so many or patience ends."""
        ids: list[str] = []
        for self.looks, wait in enumerate(_LOOKS, start=1):
            self.sleep(wait)
            ids = self.ids("Patient", self.identifier(name), FRESH)
            if len(ids) >= number:
                self.delay = max(self.delay, round(sum(_LOOKS[: self.looks]), 1))
                break
        return ids

    def settled(self, name: str) -> list[str]:
        """Ids of the Patients that were made under this name, once searches have caught up."""
        self.sleep(self.delay)
        return self.ids("Patient", self.identifier(name), FRESH)

    def clean(self) -> list[str]:
        """Take everything away that was made, the last first; Type/id of what would not go, or in words what could not be looked for."""
        unseen = []
        try:
            self.adopt(self.mark)
        except RemoteError:
            unseen = [f"anything else with the tag {SYSTEM}|{self.mark}"]
        left = [reference for reference in reversed(self.made) if not self._gone(reference)]
        # Again, for what others referred to when its turn came.
        left = [reference for reference in left if not self._gone(reference)]
        self.made = dict.fromkeys(reversed(left))
        return left + unseen

    def adopt(self, mark: str) -> None:
        """See to it that what a run of this mark left is taken away at the end, as far as the remote finds it."""
        for type in (type for type in MADE if self.capability.supports(type, "search-type")):
            by_identifier = "identifier" in self.capability.search_params(type)
            query = {"identifier" if by_identifier else "_tag": bundles.token(SYSTEM, mark)}
            for page in self.client.search(type, query):
                # The remote's search is not what decides about a deletion.
                self.made |= {f"{type}/{raw['id']}": None for raw in page.entries if has_tag(raw, {"system": SYSTEM, "code": mark})}

    def _gone(self, reference: str) -> bool:
        try:
            return self.ask("DELETE", reference).status in (200, 202, 204, 404, 410)
        except RemoteError:
            return False


@contextmanager
def opened(remote: Remote, clock: Clock, left: Callable[[list[str]], None], **options: Any) -> Iterator[Lab]:
    """A lab at a remote; at its end, however it ends, all is taken away and `left` is told of what would not go."""
    with remote.client() as client:
        lab = Lab(remote, client, client.capability(), clock, **options)
        try:
            yield lab
        finally:
            left(lab.clean())

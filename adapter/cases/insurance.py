"""What insurers must approve of a case's services, what they said of it, and what can be done next. Pure functions of `Facts`."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from adapter.cases.facts import Facts, Situation, covers, moment
from adapter.cases.record import Fields
from adapter.config import BASE

OVER = ("completed", "cancelled", "stopped", "entered_in_error")
"""The statuses of a service that does not go on."""
IDS = uuid5(NAMESPACE_URL, f"{BASE}/insurance")
STEPS = ("answer_authorisation", "withdraw", "appeal", "ask_authorisation", "answer_eligibility", "ask_eligibility")
"""What can be done next about a service's insurance."""
_NO_WORD = ("cancelled", "entered_in_error", "draft")
_ANSWERED = ("complete", "partial")
_NOBODY = "The service needs an authorisation that nobody has approved."


@dataclass(frozen=True)
class Cover:
    """A service of the case as its insurer sees it.

    `status` is that of the authorisation that counts: one that is in force, else the latest; None where none was asked for.
    """

    service: str
    description: str
    kind: str
    required: str
    """Whether it must be authorised: yes, no, unknown."""
    status: str | None
    next: tuple[str, ...]
    """What can be done now, the nearest first."""
    authorisation: str | None = None
    latest: str | None = None
    """The authorisation that was asked for last: it is answered, withdrawn or appealed."""
    renewal: str | None = None
    """The status of that one, where another one is in force."""
    number: str | None = None
    until: str | None = None
    requested_at: str | None = None
    decided_at: str | None = None
    denial_reason: str | None = None
    eligibility_request: str | None = None
    """The question about it that the insurer has not answered."""
    as_of: str | None = None
    """When the insurer said what the coverage pays for of it."""
    limits: tuple[Fields, ...] = ()
    cost: Fields | None = None


@dataclass(frozen=True)
class Paid:
    """A coverage of the client's, and what its insurer said that it pays for."""

    coverage: str
    status: str
    member_id: str
    payers: tuple[str, ...]
    period: Fields | None
    benefits: tuple[Fields, ...]
    """Each a `benefit` and `as_of`, the day on which the insurer said so."""


@dataclass(frozen=True)
class Insurance:
    """How the insurance of a case stands."""

    coverages: tuple[Paid, ...]
    services: tuple[Cover, ...]


def record_for(request: str, service: str) -> str:
    """The reference of the authorisation that keeps what becomes of a service in a request: one, whoever makes it."""
    return f"ClaimResponse/{uuid5(IDS, f'{request} {service}')}"


def request_for(service: str, number: int) -> str:
    """The reference of the request for a service that comes after so many others."""
    return f"Claim/{uuid5(IDS, f'{service} {number}')}"


def question_for(case: str, number: int) -> str:
    """The reference of the question about eligibility that comes after so many others of a case."""
    return f"CoverageEligibilityRequest/{uuid5(IDS, f'{case} {number}')}"


def lines(request: Fields) -> list[Fields]:
    """The lines of a request that name their service."""
    return [line for line in request.get("lines", []) if "service" in line]


def working(facts: Facts) -> dict[str, Fields]:
    """The authorisations by which the case goes on, by reference: all but an insurer's own responses to requests of ours."""
    requests, known = facts.of("preauthorisation"), facts.of("authorisation")

    def answers(reference: str, each: Fields) -> bool:
        asked = each.get("preauthorisation", "")
        kept = {record_for(asked, line["service"]) for line in lines(requests.get(asked, {}))}
        return bool(kept & known.keys()) and reference not in kept

    return {reference: each for reference, each in known.items() if not answers(reference, each)}


def of_service(service: str, facts: Facts) -> dict[str, Fields]:
    """The authorisations of a service that were ever asked for, the latest last."""
    found = [(key, each) for key, each in working(facts).items() if each.get("service") == service and each["status"] not in _NO_WORD[1:]]
    return dict(sorted(found, key=lambda item: moment(item[1].get("requested_at") or item[1].get("decided_at", "0001"))))


def requirement(service: Fields, facts: Facts) -> str:
    """Whether an insurer must approve a service first, yes, no or unknown: as it says itself, else as what the coverages pay for does.

    What is said about the service by its code counts before what is said about its kind.
    """
    told = str(service.get("authorisation_required", "unknown"))
    return told if told != "unknown" else demanded(service, _known(facts))


def demanded(service: Fields, benefits: list[Fields]) -> str:
    """What these benefits say of a service: that it must be authorised, that it need not, or nothing that is known."""
    said = [benefit for benefit in benefits if "authorization_required" in benefit]
    own = [benefit for benefit in said if _by_code(benefit, service)] or [benefit for benefit in said if _by_kind(benefit, service)]
    return ("yes" if any(benefit["authorization_required"] for benefit in own) else "no") if own else "unknown"


def benefits(facts: Facts) -> dict[str, list[Fields]]:
    """By coverage, what it pays for and since when that is known: the insurer's latest word on each category and service."""
    found: dict[str, dict[str, Fields]] = {}
    for answer in sorted(facts.of("eligibility_response").values(), key=lambda each: moment(each.get("as_of", "0001"))):
        if answer.get("status") in _NO_WORD or answer.get("outcome", "complete") not in _ANSWERED:
            continue
        for insurance in answer.get("insurance", []):
            for benefit in insurance.get("benefits", []):
                about = repr([benefit.get(name) for name in ("category", "code", "name", "network")])
                since = {"as_of": answer["as_of"]} if "as_of" in answer else {}
                found.setdefault(insurance["coverage"], {})[about] = {"benefit": benefit} | since
    return {coverage: list(known.values()) for coverage, known in found.items()}


def _known(facts: Facts) -> list[Fields]:
    told = [benefit for coverage in facts.of("coverage").values() for benefit in coverage.get("benefits", [])]
    return told + [each["benefit"] for several in benefits(facts).values() for each in several]


def _by_code(benefit: Fields, service: Fields) -> bool:
    code = benefit.get("code", {})
    return "code" in code and code["code"] == service.get("code", {}).get("code")


def _by_kind(benefit: Fields, service: Fields) -> bool:
    category = benefit.get("category", {})
    return "code" not in benefit and service.get("kind") == (
        category if isinstance(category, str) else category.get("code", category.get("text"))
    )


def unauthorised(reference: str, service: Fields, now: Situation, at: str | None = None) -> str | None:
    """Why a service must not be done at this moment, now unless another is given, as a sentence; None where it may.

    Of a service that is completed, an approval that has ended since still counts.
    """
    if requirement(service, now.facts) != "yes":
        return None
    over = service.get("status") == "completed"
    given = [each for each in now.facts.of("authorisation").values() if each.get("service") == reference]
    ever = [each for each in given if each.get("status") in ("approved", "expired")]
    if any(over or (each["status"] == "approved" and covers(each.get("validity"), at or now.at)) for each in ever):
        return None
    return "The service's authorisation does not hold at that time." if ever else _NOBODY


def waiting(facts: Facts) -> dict[str, Fields]:
    """The questions about eligibility that are not answered, by reference."""
    answered = {
        answer.get("request")
        for answer in facts.of("eligibility_response").values()
        if answer.get("outcome") != "queued" and answer.get("status") not in _NO_WORD
    }
    return {key: each for key, each in facts.of("eligibility_request").items() if each["status"] == "active" and key not in answered}


def named_in(request: Fields) -> set[str]:
    """The services that a question about eligibility names."""
    return {service for item in request.get("items", []) for service in item.get("services", [])}


def standing(facts: Facts, at: str) -> Insurance:
    """The client's coverages with their benefits, and of each service what is required, asked, answered, and can be done next."""
    known = benefits(facts)
    paid = [
        Paid(key, each["status"], each["member_id"], tuple(each["payers"]), each.get("period"), tuple(known.get(key, ())))
        for key, each in sorted(facts.of("coverage").items(), key=lambda item: item[1].get("order", 1))
    ]
    return Insurance(tuple(paid), tuple(_cover(facts, at)))


def _cover(facts: Facts, at: str) -> list[Cover]:
    """Each service of the case that is more than a proposal; those first that must be authorised."""
    known = {key: service for key, service in facts.of("planned_service").items() if service["intent"] != "proposal"}
    rows = [_row(key, service, facts, at) for key, service in known.items() if service["status"] not in OVER[1:]]
    return sorted(rows, key=lambda row: (("yes", "unknown", "no").index(row.required), row.description))


def _row(key: str, service: Fields, facts: Facts, at: str) -> Cover:
    several = of_service(key, facts)
    latest = next(reversed(several), None)
    in_force = [each for each, fields in several.items() if fields["status"] == "approved" and covers(fields.get("validity"), at)]
    counts = in_force[-1] if in_force else latest
    standing = several.get(counts or "", {})
    required = requirement(service, facts)
    asked = next((request for request, fields in waiting(facts).items() if key in named_in(fields)), None)
    said = [each for several in benefits(facts).values() for each in several]
    own = [each for each in said if _by_code(each["benefit"], service)] or [each for each in said if _by_kind(each["benefit"], service)]
    return Cover(
        service=key,
        description=service["description"],
        kind=service["kind"],
        required=required,
        status="expired" if standing.get("status") == "approved" and not in_force else standing.get("status"),
        next=tuple(_next(service, required, several.get(latest or "", {}), asked)),
        authorisation=counts,
        latest=latest,
        renewal=several[latest]["status"] if latest and latest != counts else None,
        until=standing.get("validity", {}).get("end"),
        eligibility_request=asked,
        as_of=max((each["as_of"] for each in own if "as_of" in each), default=None),
        limits=tuple(limit for each in own for limit in each["benefit"].get("limits", [])),
        cost=service.get("estimated_cost"),
        **{name: standing.get(name) for name in ("number", "requested_at", "decided_at", "denial_reason")},
    )


def _next(service: Fields, required: str, latest: Fields, asked: str | None) -> Iterator[str]:
    """What can be done. An approval that ends can be asked for again before it does."""
    if service["status"] in OVER:
        return
    status = latest.get("status")
    if status == "requested":
        yield from ("answer_authorisation", "withdraw")
    elif status == "denied":
        yield from ("appeal", "ask_authorisation")
    elif required != "no" and (status != "approved" or "end" in latest.get("validity", {})):
        yield "ask_authorisation"
    yield "answer_eligibility" if asked else "ask_eligibility"

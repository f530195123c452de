"""Probes that look: how a remote searches, pages, tells its history and exports. What each is for is in `probes.PROBES`."""

from collections.abc import Callable

from adapter.clock import instant
from adapter.errors import RemoteError, RemoteFatal
from adapter.fhir import bundle as bundles
from adapter.fhir.exchange import Params
from adapter.fhir.resource import Raw
from adapter.sync.remotes.lab import FRESH, Lab
from adapter.sync.remotes.profile import Finding

# The largest page that is asked for: the most that the setting page_size allows.
_MOST = 1000
_UNFOUND = "A search by identifier did not find what was made."


def search_delay(lab: Lab) -> Finding:
    lab.make(lab.patient("delay"))
    if not lab.found("delay"):
        return Finding(None, _UNFOUND)
    return Finding(lab.delay, f"Found at look {lab.looks}.")


def search_cached(lab: Lab) -> Finding:
    query = lab.identifier("cached")
    before = lab.ids("Patient", query)
    lab.make(lab.patient("cached"))
    if before or not lab.found("cached"):
        return Finding(None, _UNFOUND)
    return Finding(not lab.ids("Patient", query))


def _three(lab: Lab, name: str) -> list[Raw]:
    made = [lab.make(lab.patient(name)) for _ in range(3)]
    if len(lab.found(name, 3)) != 3:
        raise RemoteFatal(_UNFOUND)
    return made


def count(lab: Lab) -> Finding:
    _three(lab, "count")
    number = len(lab.ids("Patient", {**lab.identifier("count"), "_count": 2}))
    return Finding(number == 2, f"Asked for 2, it gave {number}.")


def next_links(lab: Lab) -> Finding:
    _three(lab, "pages")
    pages: list[list[str]] = []
    try:
        for page in lab.client.search("Patient", {**lab.identifier("pages"), "_count": 2}):
            pages.append([raw["id"] for raw in page.entries])
    except RemoteError as error:
        return Finding(False, error.text)
    seen = [id for page in pages for id in page]
    return Finding(len({*seen}) == len(seen) == 3, f"{len(seen)} of 3 in {len(pages)} pages.")


def sort(lab: Lab) -> Finding:
    updated = {raw["id"]: bundles.meta(raw).get("lastUpdated") for raw in _three(lab, "sort")}
    if None in updated.values() or len({*updated.values()}) < 2:
        return Finding(None, "The times of what was made do not differ.")
    orders = [lab.ids("Patient", {**lab.identifier("sort"), "_sort": by}) for by in ("_lastUpdated", "-_lastUpdated")]
    rising, falling = ([str(updated[id]) for id in order if id in updated] for order in orders)
    return Finding(rising == sorted(rising) and falling == sorted(falling, reverse=True))


def search_last_updated(lab: Lab) -> Finding:
    made = lab.make(lab.patient("since"))
    updated = bundles.meta(made).get("lastUpdated")
    if updated is None or not lab.found("since"):
        return Finding(None, "A search by identifier did not find what was made, or it has no time.")
    query = lab.identifier("since")
    from_then = lab.ids("Patient", {**query, "_lastUpdated": f"ge{updated}"}, FRESH)
    before = lab.ids("Patient", {**query, "_lastUpdated": "lt2000-01-01"}, FRESH)
    return Finding(made["id"] in from_then and not before)


def page_limit(lab: Lab) -> Finding:
    types = [type for type in (*lab.remote.types, "Observation", "Patient") if lab.capability.supports(type, "search-type")]
    if not types:
        return Finding(None, "It has no type to search.")
    counts = lab.client.counts({type: {} for type in types})
    type = max(types, key=lambda type: counts[type])
    reply = lab.ask("GET", type, params={"_count": _MOST, "_elements": "id"})
    number = len(bundles.entries(reply.body))
    if bundles.link(reply.body, "next") is None:
        return Finding(None, f"Its {number} {type}s came on one page, so a limit was not seen.")
    return Finding(number, f"Asked for {_MOST}.")


def unknown_parameter(lab: Lab) -> Finding:
    query: Params = {"_count": 1, "casebridge-unknown": "1"}
    if not lab.ask("GET", "Patient", params={"_count": 1}).done:
        return Finding(None, "It does not search for Patients.")
    lenient, strict = (
        lab.ask("GET", "Patient", params=query),
        lab.ask("GET", "Patient", params=query, headers={"Prefer": "handling=strict"}),
    )
    return Finding("ignored" if strict.done else "refused where strict is asked for" if lenient.done else "refused")


def history(path: str) -> Callable[[Lab], Finding]:
    def ask(lab: Lab) -> Finding:
        made = lab.make(lab.patient("history"))
        since = bundles.meta(made).get("lastUpdated") or instant(lab.clock())
        lab.ask("DELETE", bundles.address(made))
        reply = lab.ask("GET", path, params={"_since": since, "_count": _MOST}, headers=FRESH)
        if not reply.done:
            return Finding(False, f"It answered {reply.status}.")
        found = [version for version in bundles.history(reply.body) if version.id == made["id"]]
        return Finding(any(version.deleted for version in found), f"{len(found)} versions of what was made and deleted.")

    return ask


def export(lab: Lab) -> Finding:
    query = {"_type": "Patient", "_since": instant(lab.clock())}
    for level, path in (("system", "$export"), ("patient", "Patient/$export")):
        reply = lab.ask("GET", path, params=query, headers={"Prefer": "respond-async"})
        if reply.status == 202:
            job = reply.headers.get("Content-Location", "")
            # With the slash, or another host's name could begin so.
            if job.startswith(f"{lab.client.base_url}/"):
                lab.ask("DELETE", job)
            return Finding(level)
    return Finding("no", f"It answered {reply.status}.")

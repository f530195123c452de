"""Probes that write: versions, conditions, Bundles, and what a remote keeps of what it is given. What each is for is in `probes.PROBES`."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from uuid import uuid4

from adapter.config import EXT
from adapter.fhir import bundle as bundles
from adapter.fhir.exchange import FHIR_JSON, JSON_PATCH
from adapter.fhir.resource import Raw
from adapter.sync.remotes.lab import Lab, Reply
from adapter.sync.remotes.profile import Finding

# How many of the same conditional create are sent at once.
_RACERS = 4
_ZONED = "2025-04-22T09:00:00-04:00"
_EXTENSION = {"url": f"{EXT}/probe", "valueString": "kept?"}


def versions(lab: Lab) -> Finding:
    made = lab.make(lab.patient("versions"))
    first = bundles.meta(made).get("versionId")
    reply = lab.put(_changed(made, "other"), {"If-Match": bundles.weak_etag(first or "1")})
    if not reply.done:
        return _refused(reply.status)
    return Finding(first is not None and lab.read(bundles.address(made)).version not in (first, None))


def etag(lab: Lab) -> Finding:
    return Finding("ETag" in lab.read(bundles.address(lab.make(lab.patient("etag")))).headers)


def last_updated(lab: Lab) -> Finding:
    return Finding("lastUpdated" in bundles.meta(lab.make(lab.patient("last-updated"))))


def if_match(lab: Lab) -> Finding:
    made = lab.make(lab.patient("if-match"))
    first = bundles.weak_etag(bundles.meta(made).get("versionId") or "1")
    fresh = lab.put(_changed(made, "other"), {"If-Match": first})
    return _stale(lab.put(_changed(made, "male"), {"If-Match": first})) if fresh.done else _refused(fresh.status)


def if_match_delete(lab: Lab) -> Finding:
    made = lab.make(lab.patient("if-match-delete"))
    first = bundles.weak_etag(bundles.meta(made).get("versionId") or "1")
    fresh = lab.put(_changed(made, "other"), {"If-Match": first})
    return _stale(lab.ask("DELETE", bundles.address(made), headers={"If-Match": first})) if fresh.done else _refused(fresh.status)


def _stale(reply: Reply) -> Finding:
    return Finding(str(reply.status) if reply.status in (409, 412) else "ignored", f"It answered {reply.status}.")


def conditional_create(lab: Lab) -> Finding:
    raw, condition = lab.patient("once"), bundles.condition(lab.identifier("once"))
    first, second = lab.post(raw, {"If-None-Exist": condition}), lab.post(raw, {"If-None-Exist": condition})
    if first.status != 201:
        return Finding(False, f"It answered {first.status}.")
    return Finding(second.status in (200, 304, 412), f"The second was answered {second.status}.")


def conditional_create_race(lab: Lab) -> Finding:
    raw, condition = lab.patient("race"), bundles.condition(lab.identifier("race"))
    with ExitStack() as stack:
        clients = [stack.enter_context(lab.remote.client()) for _ in range(_RACERS)]
        with ThreadPoolExecutor(_RACERS) as pool:
            replies = list(pool.map(lambda client: lab.post(raw, {"If-None-Exist": condition}, client), clients))
    if not any(reply.done for reply in replies):
        return _refused(replies[0].status)
    made = {bundles.place(reply.headers.get("Location")) or reply.body.get("id") for reply in replies if reply.status == 201}
    return Finding(len(made) == 1, f"{_RACERS} at once made {len(made)}.")


def transaction(lab: Lab) -> Finding:
    good, bad = lab.patient("atomic"), lab.patient("atomic", birthDate="tomorrow")
    reply = lab.ask("POST", "", bundles.transaction([bundles.create(good)]))
    if not reply.done:
        return Finding("no", f"It answered {reply.status}.")
    _keep_entries(lab, reply)
    failed = lab.ask("POST", "", bundles.transaction([bundles.create(good), bundles.create(bad)]))
    _keep_entries(lab, failed)
    if failed.done and all(200 <= result.status < 300 for result in bundles.results(failed.body, expected=2)):
        return Finding(None, "It took a date that is none, so a failure could not be made.")
    number = len(lab.settled("atomic"))
    if not number:
        return Finding(None, "A search by identifier did not find what was made.")
    return Finding("atomic" if number == 1 else "not atomic", f"Of a good and a bad entry {number - 1} was kept.")


def _keep_entries(lab: Lab, reply: Reply) -> None:
    for entry in bundles.entries(reply.body):
        response = entry.get("response", {})
        if str(response.get("status")).startswith("201"):
            lab.remember(Reply(201, {"Location": str(response.get("location") or "")}, entry.get("resource")))


def transaction_size(lab: Lab) -> Finding:
    size = lab.remote.bundle_size
    while size:
        names = [f"size-{size}-{number}" for number in range(size)]
        creates = [bundles.create(lab.patient(name), if_none_exist=bundles.condition(lab.identifier(name))) for name in names]
        reply = lab.ask("POST", "", bundles.transaction(creates))
        _keep_entries(lab, reply)
        if reply.done:
            return Finding(size, "The setting bundle_size." if size == lab.remote.bundle_size else f"{size * 2} and more were refused.")
        size //= 2
    return Finding(None, "It takes no transaction with a conditional create.")


def batch(lab: Lab) -> Finding:
    nobody = {"request": {"method": "GET", "url": f"Patient/{uuid4()}"}}
    reply = lab.ask("POST", "", bundles.batch([bundles.create(lab.patient("batch")), nobody]))
    _keep_entries(lab, reply)
    if not reply.done:
        return Finding(False, f"It answered {reply.status}.")
    good, bad = bundles.results(reply.body, expected=2)
    return Finding(good.status == 201 and bad.status >= 400, f"The entries were answered {good.status} and {bad.status}.")


def delete(lab: Lab) -> Finding:
    reference = bundles.address(lab.make(lab.patient("delete")))
    reply = lab.ask("DELETE", reference)
    if not reply.done:
        return Finding("refused", f"It answered {reply.status}.")
    after = lab.read(reference).status
    return Finding(str(after) if after in (404, 410) else "still there")


def decimals(lab: Lab) -> Finding:
    kept = lab.make(_observation(lab, "decimals")).get("valueQuantity", {}).get("value")
    return Finding(str(kept) == "1.50", f"1.50 came back as {str(kept)[:20]}.")


def zones(lab: Lab) -> Finding:
    kept = lab.make(_observation(lab, "zones")).get("effectiveDateTime")
    return Finding(kept == _ZONED, f"{_ZONED} came back as {str(kept)[:40]}.")


def _observation(lab: Lab, name: str) -> Raw:
    quantity = {"value": Decimal("1.50"), "unit": "m", "system": "http://unitsofmeasure.org", "code": "m"}
    code = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
    measured = {"status": "final", "code": code, "effectiveDateTime": _ZONED, "valueQuantity": quantity}
    return lab.resource(name, {"resourceType": "Observation", **measured})


def extensions(lab: Lab) -> Finding:
    return Finding(lab.make(lab.patient("extension", extension=[_EXTENSION])).get("extension") == [_EXTENSION])


def tags(lab: Lab) -> Finding:
    extra = {"system": _EXTENSION["url"], "code": "extra"}
    raw = lab.patient("tags")
    made = lab.make({**raw, "meta": {"tag": [*raw["meta"]["tag"], extra]}})
    version = bundles.weak_etag(bundles.meta(made).get("versionId") or "1")
    reply = lab.put({**made, "gender": "other", "meta": raw["meta"]}, {"If-Match": version})
    if not reply.done:
        return _refused(reply.status)
    tags = bundles.meta(lab.read(bundles.address(made)).body).get("tag") or ()
    return Finding("merged" if any(tag.get("code") == "extra" for tag in tags) else "replaced")


def client_ids(lab: Lab) -> Finding:
    id = str(uuid4())
    reply = lab.put({**lab.patient("client-id"), "id": id})
    return Finding(reply.done and lab.read(f"Patient/{id}").done, f"It answered {reply.status}.")


def patch(lab: Lab) -> Finding:
    part = [{"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": "Patient.gender"}]
    fhirpath = {
        "resourceType": "Parameters",
        "parameter": [{"name": "operation", "part": [*part, {"name": "value", "valueCode": "other"}]}],
    }
    bodies: dict[str, tuple[Raw | list[Raw], str]] = {
        "json": ([{"op": "replace", "path": "/gender", "value": "other"}], JSON_PATCH),
        "fhirpath": (fhirpath, FHIR_JSON),
    }
    worked = []
    for kind, (body, media) in bodies.items():
        reference = bundles.address(lab.make(lab.patient(f"patch-{kind}")))
        done = lab.ask("PATCH", reference, body, {"Content-Type": media}).done
        worked += [kind] * (done and lab.read(reference).body.get("gender") == "other")
    return Finding(" ".join(worked) or "no")


def subscriptions(lab: Lab) -> Finding:
    channel = {"type": "rest-hook", "endpoint": "https://casebridge.example/probe", "payload": "application/fhir+json"}
    criteria = f"Patient?{bundles.condition(lab.identifier('nobody'))}"
    raw = {"resourceType": "Subscription", "meta": lab.meta(), "status": "off", "reason": "A probe", "criteria": criteria}
    status = lab.post({**raw, "channel": channel}).status
    known = {201: True, 404: False, 405: False, 501: False}
    return Finding(known.get(status), f"It answered {status}.")


def _refused(status: int) -> Finding:
    return Finding(None, f"The remote refused what is needed to tell ({status}).")


def _changed(raw: Raw, gender: str) -> Raw:
    return {**raw, "gender": gender}

"""What the probes find out about a real HAPI 8.8, and that nothing stays there. A change of this table is news of HAPI."""

from typing import Any

from adapter.clock import utc_now
from adapter.fhir.client import FhirClient
from adapter.store.state import State
from adapter.sync.remotes.lab import SYSTEM, opened
from adapter.sync.remotes.probes import PROBES, answer, probe
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.strategy import Strategy, strategy

from .hapi import Hapi

HAPI = {
    "search_delay": 0.0,
    "search_cached": True,
    "versions": True,
    "etag": True,
    "last_updated": True,
    "if_match": "409",
    "if_match_delete": "ignored",
    "conditional_create": True,
    "conditional_create_race": True,
    "transaction": "atomic",
    "transaction_size": 50,
    "batch": True,
    "delete": "410",
    "history_type": True,
    "history_system": True,
    "search_last_updated": True,
    "count": True,
    "next_links": True,
    "sort": True,
    "unknown_parameter": "refused",
    "decimals": True,
    "zones": True,
    "extensions": True,
    "tags": "merged",
    "client_ids": True,
    "patch": "json fhirpath",
    "export": "system",
    "subscriptions": True,
}


def test_hapi_is_found_to_be_as_this_table_says(hapi: Hapi, client: FhirClient, database: Any) -> None:
    remote, left = Remote("hapi", hapi.url, sandbox=True), []
    found = probe(State(database), remote, utc_now, lambda *progress: None, left.extend)
    # How large its pages are shows only where it holds more than a page.
    assert {name: finding.value for name, finding in found.findings.items() if name != "page_limit"} == HAPI
    assert set(HAPI) | {"page_limit"} == set(PROBES)
    assert left == []
    assert sum(client.count(type, {"identifier": f"{SYSTEM}|"}) for type in ("Patient", "Observation")) == 0
    assert strategy(found, client.capability(), remote) == Strategy("transaction", 50, 200, (), 0.0, "history-type", True, True)


def test_the_limit_of_its_pages_is_seen_where_it_holds_more(hapi_empty: Hapi, client: FhirClient) -> None:
    made = [{"resource": {"resourceType": "Patient", "active": True}, "request": {"method": "POST", "url": "Patient"}}] * 501
    client.transaction({"resourceType": "Bundle", "type": "transaction", "entry": made})
    with opened(Remote("hapi", hapi_empty.url), utc_now, lambda left: None) as lab:
        assert answer(lab, PROBES["page_limit"]).value == 500

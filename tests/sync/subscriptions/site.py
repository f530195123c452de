"""What the tests about subscriptions share: a site with a key and little patience, and how events are told."""

from adapter.fhir.retry import RetryPolicy
from adapter.sync.subscriptions.delivery import Site

KEY = b"a key of this site, and of no other"
SITE = Site(KEY, retry=RetryPolicy(base=0.02, cap=0.1), patience=1.0)
PATIENT = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "active": True}
JSON = "application/fhir+json"


def told(*events):
    return [f"{event}/Patient/{id}/{version}" for event, id, version in events]

"""What goes to a remote that is a sandbox: synthetic data, and nothing else."""

from adapter.config import SYNTHETIC_TAG
from adapter.store.documents import Change


def test_a_sandbox_gets_what_is_synthetic_and_nothing_else(world):
    """V-20, B-07"""
    world.remote = world.bridge.remotes.change("hospital", {"sandbox": True})
    real = {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:example:sandbox", "value": "real"}],
        "name": [{"family": "Kanarifugl"}],
    }
    made_up = {**real, "identifier": [{"system": "urn:example:sandbox", "value": "made-up"}], "meta": {"tag": [SYNTHETIC_TAG]}}
    world.bridge.repository.commit([Change("Patient", "real", real, 0), Change("Patient", "made-up", made_up, 0)])
    certificate = world.sync(pull=False)
    found = [raw for page in world.hospital.search("Patient", {"identifier": "urn:example:sandbox|"}) for raw in page.entries]
    assert [raw["identifier"][0]["value"] for raw in found] == ["made-up"]
    assert certificate.clean
    assert world.bridge.repository.find("Patient", "real").outbox == ("hospital",)

"""Whom a form offers."""

from adapter.cases.facts import Facts
from adapter.casework.records import save
from server.console.around import choices
from server.console.site import Site

ORGANIZATION = frozenset({"Organization"})


def test_who_is_crowded_out_of_the_list_of_a_case_is_offered_from_the_directory(stranger, loaded, dana, repository, tmp_path):
    dana()
    around = {f"Organization/o{place:03}": {"name": f"Kanarifugl {place:03}", "kind": "hospital"} for place in range(201)}
    save(repository, "stakeholder", "o000", around["Organization/o000"])
    cookie = stranger.client.get_cookie("casebridge_actor").value
    with stranger.client.application.test_request_context(headers={"Cookie": f"casebridge_actor={cookie}"}):
        offered = choices(Site(repository, repository.clock, tmp_path), Facts({"stakeholder": around}))(ORGANIZATION, True)
    references = [reference for reference, _ in offered]
    assert set(around) <= set(references)
    assert len(references) == len(set(references))

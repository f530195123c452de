"""What is to be done, for whom first, and the team for those who supervise it."""

from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read


def _task(repository, case, actor, **more):
    desk = Desk(repository, Actor(actor), repository.clock)
    client = read(repository, "case", case).fields["client"]
    fields = {"client": client, "case": f"EpisodeOfCare/{case}", "status": "requested", "intent": "order", "owner": actor, **more}
    return put(desk, "task", None, {"description": "Call the clinic (Kanarifugl)", "due": "2020-01-02", **fields}).id


def _me(stranger):
    return stranger.client.get_cookie("casebridge_actor").value


def test_a_late_task_is_listed_with_its_client_and_how_late_it_is(stranger, halfway, dana, repository):
    """C-12"""
    dana()
    _task(repository, halfway, _me(stranger))
    text = stranger.text("/?list=overdue")
    assert "Call the clinic (Kanarifugl)" in text
    assert "River Kanarifugl" in text
    assert "days late" in text


def test_a_task_is_claimed_and_completed_from_the_list(stranger, halfway, dana, repository):
    dana()
    id = _task(repository, halfway, _me(stranger))
    assert stranger.post(f"/tasks/{id}/claim").location == "/"
    assert read(repository, "task", id).fields["status"] == "accepted"
    assert stranger.post(f"/tasks/{id}/complete", case=halfway).location == f"/cases/{halfway}"
    assert read(repository, "task", id).fields["status"] == "completed"
    assert "Call the clinic" not in stranger.text("/?list=overdue")


def test_the_caseload_says_step_tier_and_what_is_due_next(stranger, halfway, dana, repository):
    """C-18"""
    dana()
    _task(repository, halfway, _me(stranger))
    text = stranger.text("/")
    for told in ("CM-2025-0042", "Planning", "Complex", "2 Jan 2020"):
        assert told in text


def test_only_who_supervises_sees_the_team_and_another_s_list(stranger, halfway, dana, repository):
    dana()
    me = _me(stranger)
    assert stranger.get("/team").status_code == 403
    assert stranger.get("/?of=Practitioner/somebody").status_code == 403
    mine = read(repository, "case_manager", me.partition("/")[2])
    put(Desk(repository, Actor(me), repository.clock), "case_manager", mine.id, {**mine.fields, "role": "supervisor"})
    text = stranger.text("/team")
    assert "Dana Kanarifugl" in text
    assert "1 of 20" in text
    assert "River Kanarifugl" in stranger.text(f"/?of={me}")

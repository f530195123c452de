"""Glasses as they are kept."""

from datetime import timedelta

from adapter.clock import utc_now
from adapter.store.glass import Glass
from adapter.store.repository import Repository


def test_of_two_ends_at_once_the_first_counts_and_is_told(database):
    repository = Repository(database)
    kept = Glass(repository)
    made = kept.break_("Practitioner/dana", "Patient/alma", "Kanarifugl fell in the hall.", timedelta(hours=1))

    def ended_meanwhile():
        """The time, asked for when the second has read that it is not ended."""
        repository.clock = utc_now
        kept.end(made.id, "Practitioner/boss")
        return utc_now()

    repository.clock = ended_meanwhile
    assert kept.end(made.id, "Practitioner/dana").ended_by == kept.get(made.id).ended_by == "Practitioner/boss"
    assert len([*repository.scan("AuditEvent")]) == 2, "that it was broken, and one end"

"""Records put into a store as they are, without the process's checks: where what matters is what is read from them."""

from adapter.casework.records import save
from tests.casework.conftest import DANA, client

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


class Shelf:
    """Saves records of cases `EpisodeOfCare/c-<name>` of clients `Patient/<name>`."""

    def __init__(self, repository):
        self.repository = repository

    def case(self, name, number=None, step="follow_up", opened="2026-02-01T00:00:00Z", status="active", **fields):
        client(self.repository, name)
        whole = {
            "client": f"Patient/{name}",
            "case_number": number or f"N-{name}",
            "case_type": "general",
            "models": [{"model": "clinical", "primary": True, "period": {"start": opened}}],
            "case_manager": DANA,
            "status": status,
            "step": step,
            "tier": "high",
            "priority_score": 10,
            "opened_at": opened,
            "status_history": [{"step": step, "status": status, "period": {"start": opened}}],
        }
        return self._save("EpisodeOfCare", "case", f"c-{name}", whole | fields)

    def of(self, concept, type, id, name, /, **fields):
        """A record of a client and of their case."""
        return self._save(type, concept, id, {"client": f"Patient/{name}", "case": f"EpisodeOfCare/c-{name}"} | fields)

    def contact(self, name, at, source="client", status="completed", **fields):
        kind = {"type": "call", "source": source, "status": status, "occurred_at": at}
        return self.of("follow_up", "Encounter", f"f-{name}-{at[:10]}", name, **kind | fields)

    def flagged(self, name, *flags, at="2026-02-02T00:00:00Z"):
        return self.of("risk_evaluation", "RiskAssessment", f"r-{name}", name, status="final", at=at, urgent_flags=list(flags))

    def stay(self, name, start, end=None, id="stay", code="IMP", **fields):
        period = {"start": start} | ({"end": end} if end else {})
        whole = {"status": "finished" if end else "in_progress", "encounter_class": {"system": ACT, "code": code}, "period": period}
        return self.of("encounter", "Encounter", f"{id}-{name}", name, **whole | fields)

    def task(self, id, owner=DANA, **fields):
        return self._save("Task", "task", id, {"status": "requested", "intent": "order", "owner": owner} | fields)

    def _save(self, type, concept, id, fields):
        save(self.repository, concept, id, fields, synthetic=True)
        return f"{type}/{id}"

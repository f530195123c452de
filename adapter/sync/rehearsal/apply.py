"""Carries out a saved plan and nothing else: what is planned anew is done where it is in the file, to the letter; the rest is told."""

from dataclasses import dataclass

from adapter.errors import VersionConflict
from adapter.fhir.client import FhirClient
from adapter.sync.plan import SENT, Entry
from adapter.sync.pulling.receive import Receiver
from adapter.sync.rehearsal.present import Present
from adapter.sync.rehearsal.saved_plan import SavedPlan


@dataclass(frozen=True)
class Applier:
    """Takes from what is planned now that which the saved plan holds."""

    saved: SavedPlan
    receiver: Receiver

    def received(self, planned: list[Entry]) -> list[Entry]:
        """Carry out here what of this is in the plan; the entries that were."""
        chosen = [entry for entry in planned if self.saved.holds(entry)]
        try:
            self.receiver.carry_out(chosen)
        except VersionConflict:
            return [entry for entry in chosen if self._alone(entry)]
        return chosen

    def _alone(self, entry: Entry) -> bool:
        try:
            self.receiver.carry_out([entry])
        except VersionConflict:
            # Somebody wrote here since it was planned anew.
            self.saved.put_back(entry)
            return False
        return True

    def sendable(self, planned: list[Entry], client: FhirClient) -> list[Entry]:
        """What of this is in the plan, and meets at the remote what it expects."""
        chosen = [entry for entry in planned if self.saved.holds(entry)]
        now = Present.of(client, chosen)
        for entry in chosen:
            if entry.action in SENT and not now.expected(entry):
                self.saved.put_back(entry)
        return [entry for entry in chosen if entry.action not in SENT or now.expected(entry)]

"""A client for a remote that does not heed a condition: what the condition asks is looked at just before.

A moment is left in which it can become untrue; docs/remotes.md says which remotes need this.
"""

from typing import Any
from urllib.parse import parse_qsl

from adapter.errors import MultipleMatches, RemoteConflict
from adapter.fhir.client import FhirClient, Written
from adapter.fhir.resource import Raw, content, resource_type, same

IF_MATCH, IF_NONE_EXIST = "If-Match", "If-None-Exist"


class WaryClient(FhirClient):
    """One remote that does not heed the conditions in `unheeded`, by the names of their headers."""

    def __init__(self, base_url: str, *, unheeded: tuple[str, ...], **options: Any) -> None:
        super().__init__(base_url, **options)
        self._unheeded = unheeded

    def create(self, raw: Raw, *, if_none_exist: str | None = None) -> Written:
        """Create it unless a search by the condition finds one. Not sent again by itself: it could make a second one."""
        if if_none_exist is None or IF_NONE_EXIST not in self._unheeded:
            return super().create(raw, if_none_exist=if_none_exist)
        type = resource_type(raw)
        found = [each for page in self.search(type, dict(parse_qsl(if_none_exist))) for each in page.entries]
        if len(found) > 1:
            raise MultipleMatches(f"POST {type} at {self.base_url}: what is to be made is there already, more than once.")
        if found:
            there = self.read(type, str(found[0]["id"]))
            return Written(False, type, str(there.raw["id"]), str(there.version), there.raw)
        return super().create(raw)

    def update(self, raw: Raw, *, if_match: str | None) -> Written:
        if if_match is None or IF_MATCH not in self._unheeded:
            return super().update(raw, if_match=if_match)
        return self._exchange.retry.run(lambda: self._updated(raw, if_match), sleep=self._exchange.sleep)

    def _updated(self, raw: Raw, version: str) -> Written:
        """Write over that version, once: where an answer was lost, the next look says whether it was taken."""
        type, id = resource_type(raw), str(raw.get("id"))
        now = self.read(type, id)
        if now.version == version:
            return super().update(raw, if_match=None)
        if now.version and same(content(now.raw), content(raw)):
            return Written(False, type, id, now.version, now.raw)
        raise _moved(self, type, id)

    def patch(self, type: str, id: str, operations: list[Raw], *, if_match: str | None) -> Written:
        self._expect(type, id, if_match)
        # A condition that is not heeded does not make it safe to send again.
        return super().patch(type, id, operations, if_match=None if IF_MATCH in self._unheeded else if_match)

    def _expect(self, type: str, id: str, version: str | None) -> None:
        """Raise RemoteConflict where the version is no longer that."""
        if version is not None and IF_MATCH in self._unheeded and self.read(type, id).version != version:
            raise _moved(self, type, id)


def _moved(client: FhirClient, type: str, id: str) -> RemoteConflict:
    return RemoteConflict(f"A write of {type}/{id} at {client.base_url}: the remote's version moved.", http_status=412)

"""What reads past the sight of who asks: a short list, so that it does not grow unseen."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAST_SIGHT = {
    "adapter/casework/cases.py": "how many places of a caseload are taken, and who has room",
    "adapter/casework/directory.py": "free slots of providers, which are nobody's",
    "adapter/casework/disclosures.py": "the patient of whom somebody who reads the account asks who was told",
    "adapter/casework/facts.py": "the same count, and the groups of a client who is seen",
    "adapter/casework/glass.py": "the patient for whom the glass is broken, and what was broken",
    "adapter/casework/receivers.py": "which remotes there are",
    "adapter/casework/services.py": "when a client is busy",
    "server/console/site.py": "the store that a page sees its part of, and the bridge to the remotes",
}
"""By module: what it looks at in the whole store for somebody who sees a part of it (docs/decisions/025-sight-at-work.md)."""


def test_only_these_look_at_the_whole_store():
    rooms = [path for room in ("adapter/casework", "server/api", "server/console") for path in sorted((ROOT / room).rglob("*.py"))]
    found = {str(path.relative_to(ROOT)) for path in rooms if re.search(r"(repository|self|site)\.whole\b", path.read_text())}
    assert found == set(PAST_SIGHT)

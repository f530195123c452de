"""What of a database is in a backup: every collection, but for those whose content means nothing once the moment is over."""

LEFT_OUT = {
    **dict.fromkeys(("leases", "jobs", "parts"), "which process is at work, and on what: none is, after a restore"),
    **dict.fromkeys(("launches", "codes", "tokens", "sessions"), "who was let in then: one that was ended since would be good again"),
    **dict.fromkeys(("assertions", "attempts", "sign_ins"), "what was tried within some minutes"),
    "served_exports": "exports that others asked for: their files are not in the database",
}
"""Collections that are left out, and why."""


def is_carried(name: str) -> bool:
    """Whether a collection is in a backup."""
    return name not in LEFT_OUT

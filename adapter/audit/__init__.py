"""Who saw and did what, and that nobody changed the account of it since: pure functions. docs/audit.md says how it is used."""

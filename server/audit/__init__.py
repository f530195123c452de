"""The account of who asked for what: an AuditEvent for each access and each refusal, written before the answer goes out. docs/audit.md"""

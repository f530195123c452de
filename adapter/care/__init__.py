"""Care knowledge, mostly data: instruments and their scoring, blood pressure categories, risk policy. It does no I/O beyond its own files."""

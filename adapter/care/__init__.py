"""Care knowledge, mostly data: instruments and scoring, blood pressure, risk policy. It reads nothing but its own files."""

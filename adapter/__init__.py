"""casebridge: case management records and FHIR R4 resources, kept in step. The folders are the data flow; see README.md."""

"""Who asks and what they may: tokens by SMART on FHIR, people by password. docs/security.md says how it is used."""

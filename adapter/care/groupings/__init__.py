"""Which codes of ICD-10 and SNOMED CT count as which disease, one JSON file per grouping. `adapter.care.comorbidity` reads them."""

"""One JSON file per plan template, a PlanDefinition each. `adapter.care.template` reads them."""

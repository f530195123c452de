"""One JSON file per model of case management: what it permits, demands and suggests. `adapter.care.model` reads them."""

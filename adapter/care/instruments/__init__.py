"""One JSON file per instrument: items, answer codes, points, bands and flags. `adapter.care.instrument` reads them."""

"""One JSON file per version of a risk policy. `adapter.care.risk` reads them."""

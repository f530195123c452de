from adapter.mapping.table import Mapping

MAPPINGS: tuple[Mapping, ...] = ()

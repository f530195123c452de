"""Imports point one way, only one module writes records, no file grows past 400 lines: docs/architecture.md, held true."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("adapter/**/*.py"), *ROOT.glob("server/**/*.py")])

# What each room may import of the others; a room may always import itself and the four at the bottom.
BOTTOM = {"adapter.errors", "adapter.config", "adapter.clock", "adapter.log"}
MAY = {
    "adapter.care": set(),
    "adapter.fhir": set(),
    "adapter.access": {"adapter.fhir"},
    "adapter.audit": {"adapter.fhir"},
    "adapter.backup": {"adapter.sync", "adapter.store", "adapter.fhir"},
    "adapter.cases": {"adapter.care"},
    "adapter.mapping": {"adapter.cases", "adapter.care", "adapter.fhir"},
    "adapter.ig": {"adapter.access", "adapter.audit", "adapter.mapping", "adapter.cases", "adapter.care", "adapter.fhir"},
    "adapter.packet": {"adapter.access", "adapter.store", "adapter.sync", "adapter.fhir"},
    "adapter.store": {"adapter.access", "adapter.audit", "adapter.ig", "adapter.mapping", "adapter.cases", "adapter.care", "adapter.fhir"},
    "adapter.casework": {
        "adapter.access",
        "adapter.audit",
        "adapter.ig",
        "adapter.store",
        "adapter.mapping",
        "adapter.cases",
        "adapter.care",
        "adapter.fhir",
    },
    "adapter.sync": {
        "adapter.access",
        "adapter.audit",
        "adapter.ig",
        "adapter.store",
        "adapter.mapping",
        "adapter.cases",
        "adapter.care",
        "adapter.fhir",
    },
    "server": {
        "adapter.packet",
        "adapter.access",
        "adapter.audit",
        "adapter.ig",
        "adapter.sync",
        "adapter.casework",
        "adapter.store",
        "adapter.mapping",
        "adapter.cases",
        "adapter.care",
        "adapter.fhir",
    },
    "adapter.cli": {
        "adapter.packet",
        "adapter.access",
        "adapter.audit",
        "adapter.backup",
        "adapter.ig",
        "server",
        "adapter.sync",
        "adapter.casework",
        "adapter.store",
        "adapter.mapping",
        "adapter.cases",
        "adapter.care",
        "adapter.fhir",
    },
}
# The half of adapter.fhir that talks to the network: for sync and the command line alone.
NETWORK = {
    f"adapter.fhir.{name}"
    for name in ("client", "exchange", "bulk", "ndjson", "auth", "oauth", "oidc", "smart", "jwks", "tls", "retry", "capability")
}
# Where documents are written: records and resources, the sync's small documents, the claims of conditional creates, what subscribers
# are yet to be told, what decides who may see them, and all of it as it was when a backup is restored.
WRITERS = {
    f"adapter/store/{name}.py"
    for name in ("repository", "state", "claims", "notifications", "remote_keys", "cards", "past", "whole", "trail")
}
WRITES = {"insert_one", "insert_many", "replace_one", "update_one", "update_many", "delete_one", "delete_many", "bulk_write"}


def room(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "adapter" else parts[0]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return [name for name in found if name.split(".")[0] in ("adapter", "server")]


every_file = pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))


@every_file
def test_imports_point_one_way(path):
    own = room(module_of(path))
    allowed = BOTTOM | MAY.get(own, set()) | {own, "adapter"}
    wrong = {name for name in imports(path) if room(name) not in allowed}
    assert not wrong


@every_file
def test_only_sync_and_the_command_line_use_the_network(path):
    if room(module_of(path)) in ("adapter.sync", "adapter.cli", "adapter.fhir"):
        return
    assert not NETWORK & set(imports(path))


@every_file
def test_only_the_store_writes(path):
    calls = {
        node.func.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    if str(path.relative_to(ROOT)) not in WRITERS:
        assert not WRITES & calls


@every_file
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


def test_no_module_is_a_grab_bag():
    assert not {path.stem for path in SOURCES} & {"utils", "common", "helpers", "manager", "misc"}


def test_the_embedded_server_is_never_imported():
    for path in SOURCES:
        assert "import secantus" not in path.read_text(), path

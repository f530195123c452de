"""The folders of exports: ours are swept, and nothing else that lies there."""

from pathlib import Path
from uuid import uuid4

import pytest

from adapter.config import Settings
from adapter.sync.exporting import files


def test_only_what_can_be_the_folder_of_an_export_is_swept(tmp_path: Path) -> None:
    wanted, ended, name = uuid4().hex, uuid4().hex, uuid4().hex
    strange = {"data", "2025", f"{name}.bak", name.upper(), name[:31]}
    for folder in (wanted, ended, *strange):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "all.ndjson").write_text("{}")
    files.sweep(tmp_path, [wanted])
    assert {path.parent.name for path in tmp_path.rglob("all.ndjson")} == {wanted, *strange}


@pytest.mark.parametrize("exports", [None, Path("/srv/exports")])
def test_no_two_databases_have_their_exports_in_one_folder(exports: Path | None) -> None:
    settings = Settings(db=None, database="casebridge", home=Path("/home/k"), log_level="INFO", exports=exports)
    folders = [settings.export_folder(name) for name in ("one", "two")]
    assert [(folder.parent, folder.name) for folder in folders] == [(exports or Path("/home/k/exports"), name) for name in ("one", "two")]

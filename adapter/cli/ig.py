"""`casebridge ig`: the FHIR package of what casebridge publishes about itself."""

from pathlib import Path

import click

from adapter.cli.terminal import line


@click.command()
@click.option("--to", "folder", default="build", show_default=True, type=click.Path(path_type=Path, file_okay=False), help="The folder.")
def ig(folder: Path) -> None:
    """Write the FHIR package of our definitions.

    Extensions, profiles, code systems, value sets, questionnaires and plan templates.

    Into the folder come casebridge.fhir-VERSION.tgz, for validators and servers that take packages, and package/ with the same files to
    look at.

    \b
      casebridge ig --to build
    """
    # Only this command makes the definitions.
    from adapter.ig.canonical import VERSION
    from adapter.ig.package import PACKAGE, archive, files

    (folder / "package").mkdir(parents=True, exist_ok=True)
    for stale in (folder / "package").glob("*.json"):
        stale.unlink()
    count = 0
    for path, text in files():
        (folder / path).write_text(text, "utf-8")
        count += 1
    packed = folder / f"{PACKAGE}-{VERSION}.tgz"
    packed.write_bytes(archive())
    line(f"{packed}: {count} files.")

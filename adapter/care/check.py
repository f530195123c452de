"""All care knowledge read and checked, the package's and the site's: what `casebridge care check` and every start go by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from adapter.care import comorbidity, data, follow_up, instrument, model, need, risk, template
from adapter.config import care_folder
from adapter.errors import Invalid

KINDS = ("models", "instruments", "templates", "policies", "groupings")
"""The folders of data files."""
# A site's folder has its policies of who sees what, too (adapter.access.policy).
_BESIDE = frozenset({"access"})

_CONTENT: Mapping[tuple[str, str], type[Struct]] = {
    ("models", ""): model.Model,
    ("instruments", ""): instrument.Instrument,
    ("templates", ""): template.Template,
    ("policies", "stratification_"): risk.Policy,
    ("policies", "follow_up_"): follow_up.Policy,
    ("policies", "needs_"): need.Needs,
    ("groupings", ""): comorbidity.Grouping,
}
"""What a file has in it, by its folder and how its name begins."""


@dataclass(frozen=True)
class Checked:
    """A data file, and what is wrong with it; nothing where it can be used."""

    kind: str
    name: str
    problem: str | None = None
    warning: str | None = None


def everything() -> Iterator[Checked]:
    """Each data file that is used here, checked, folder by folder."""
    site = care_folder()
    if site is not None and not site.is_dir():
        yield Checked("", str(site), "CASEBRIDGE_CARE names no folder.")
    strange = (
        sorted(entry.name for entry in site.iterdir() if entry.is_dir() and entry.name not in _BESIDE.union(KINDS))
        if site and site.is_dir()
        else []
    )
    for name in strange:
        yield Checked(name, "", f"A folder of care knowledge is one of {', '.join(KINDS)}.")
    for kind in KINDS:
        try:
            names = data.names(kind)
        except Invalid as error:
            yield Checked(kind, "", error.text)
            continue
        yield from (_named(kind, name) for name in names)


def _named(kind: str, name: str) -> Checked:
    try:
        loaded = template.load(name) if kind == "templates" else data.read(kind, name, _content(kind, name))
    except Invalid as error:
        return Checked(kind, name, error.text)
    return Checked(kind, name, warning=_warning(loaded))


def _content(kind: str, name: str) -> type[Struct]:
    found = next((content for (folder, prefix), content in _CONTENT.items() if folder == kind and name.startswith(prefix)), None)
    if found is None:
        beginnings = ", ".join(prefix for folder, prefix in _CONTENT if folder == kind)
        raise Invalid(f"{name}.json: the name of a file in {kind} begins with one of {beginnings}.")
    return found


def file(path: Path, kind: str) -> Checked:
    """One file, checked as a data file of that kind wherever it lies. Raises OSError where it cannot be read."""
    try:
        loaded = data.decode(path.name, path.read_bytes(), _content(kind, path.stem))
    except Invalid as error:
        return Checked(kind, path.stem, error.text)
    return Checked(kind, path.stem, warning=_warning(loaded))


def _warning(loaded: object) -> str | None:
    """C-27: a template should name the evidence that it follows."""
    return "It cites no evidence." if isinstance(loaded, template.Template) and not loaded.cites else None


def refuse() -> None:
    """Raise Invalid, naming each bad file and what is wrong with it, unless all care knowledge can be used."""
    wrong = [each.problem for each in everything() if each.problem]
    if wrong:
        raise Invalid(f"The care knowledge cannot be used. {' '.join(wrong)}")

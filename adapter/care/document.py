"""The care knowledge as Markdown: docs/instruments.md, and the tables in docs/care.md."""

from collections.abc import Iterable

from adapter.care import comorbidity, instrument, model, need, template
from adapter.care.data import read
from adapter.care.instrument import Instrument
from adapter.care.questionnaire import SYSTEMS, canonical

_INTRO = """# Instruments

Made from `adapter/care/instruments` by `make docs`; do not edit it. A score is made only from complete answers in range (V-07); a band is a
screening result, never a diagnosis. The text of an item is its owner's only where the licence allows it, else it is a label of ours. How a
site adds an instrument: [care.md](care.md).

Blood pressure is no questionnaire: `adapter/care/blood_pressure.py` has the categories of ACC/AHA 2017
(doi:10.1161/HYP.0000000000000065) for the mean of two readings or more, LOINC 85354-9 with 8480-6 and 8462-4; the category is a code of our
own.
"""

_ELSEWHERE = """
## Other codes that were looked up

| code | where it was found |
|---|---|
| SNOMED CT 768832004 Case manager | the equivalent of NUCC 171M00000X in a public concept map of NUCC to SNOMED CT |
| NUCC 171M00000X, 163WC0400X, 1041C0700X | the provider taxonomy as public copies of it list them |
| v2-0360 RN | HL7 Terminology 6.2.0, code system v2-0360: Registered Nurse |
| RxNorm 309362 clopidogrel 75 mg, 314076 lisinopril 10 mg | Synthea 3.3.0 (Clopidogrel 75 MG Oral Tablet, lisinopril 10 MG Oral Tablet) |
| RxNorm 259255 atorvastatin 80 mg | not confirmed, so not used: the medication stands as text |
"""


def instruments() -> str:
    """docs/instruments.md: of each instrument its codes, licence, source, bands, flags and what was looked up."""
    return "\n".join([_INTRO, *(_instrument(instrument.load(name)) for name in instrument.names())]) + _ELSEWHERE


def _instrument(found: Instrument) -> str:
    total = f", total `{found.total}`" if found.total else ""
    rows = [
        f"| file | `{found.id}.json`, version {found.version} |",
        f"| Questionnaire | {canonical(found.id)} |",
        f"| panel | `{found.panel}`{total}, of {SYSTEMS[found.system]} |",
        f"| items | {', '.join(f'`{item.link_id}`' for item in found.items)} |",
        *(f"| also | {each.system} `{each.code}` {each.display} |" for each in found.codings),
        f"| licence | {found.licence} |",
        f"| source | {found.source} |",
        *(f"| looked up | {', '.join(f'`{code}`' for code in each.codes)}: {each.where} |" for each in found.confirmed),
        *_scoring(found),
    ]
    return "\n".join([f"## {found.title}\n", "| | |\n|---|---|", *rows, ""])


def _scoring(found: Instrument) -> Iterable[str]:
    for name in found.all_methods or (None,):
        under = found.under(name) if name else found
        scoring, label = under.scoring, f", {name}" if name else ""
        if scoring.bands:
            yield f"| bands{label} | {'; '.join(f'{band.low}–{band.high} {_words(band.band)}' for band in scoring.bands)} |"
        if scoring.cut_point:
            by = "".join(f", {gender} ≥ {value}" for gender, value in scoring.cut_point.by_gender.items())
            yield f"| positive{label} | ≥ {scoring.cut_point.value}{by} |"
    for flag in found.scoring.flags:
        what = "urgent" if flag.urgent else "advice"
        yield f"| {what} | {_words(flag.flag)}: {', '.join(f'`{item}`' for item in flag.items)} from {flag.at_least} |"
    if found.scoring.domains:
        yield f"| domains | {', '.join(_words(domain.domain) for domain in found.scoring.domains)} |"


def _words(name: str) -> str:
    return name.replace("_", " ")


def tables() -> dict[str, str]:
    """The tables of docs/care.md, by the name of their place."""
    return {"models": _models(), "templates": _templates(), "groupings": _groupings(), "needs": _needs()}


def _models() -> str:
    found = [model.load(name) for name in model.names()]
    rows = [
        ("permits", [", ".join(each.permits) for each in found]),
        ("permits with a licence", [", ".join(each.permits_if_licensed) for each in found]),
        ("demands", ["; ".join(_demands(each.demands)) for each in found]),
        ("suggests", [", ".join(each.suggests) for each in found]),
        ("suggested for", [", ".join(_words(sign) for sign in each.suggested_for) for each in found]),
        ("made from", [each.plan_driver for each in found]),
        ("outcomes watched", [each.outcome_monitoring for each in found]),
        ("days between contacts", ["; ".join(_contacts(source, days) for source, days in each.contact_days.items()) for each in found]),
        ("caseload", [str(each.caseload) for each in found]),
    ]
    head = f"| | {' | '.join(each.title for each in found)} |\n|---|{'---|' * len(found)}"
    return "\n".join([head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows)])


def _demands(demands: model.Demands) -> Iterable[str]:
    nothing = model.Demands()
    for name in demands.__struct_fields__:
        value = getattr(demands, name)
        if value != getattr(nothing, name):
            yield _words(name) if value is True else f"{_words(name)}: {_plain(value)}"


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(" or ".join(_words(one) for one in each) if isinstance(each, tuple) else _words(each) for each in value)
    return str(value)


def _contacts(source: str, days: dict[str, int]) -> str:
    return f"{_words(source)} " + ", ".join(f"{tier} {number}" for tier, number in days.items())


def _templates() -> str:
    rows = []
    for name in template.names():
        raw = template.plan_definition(name)
        cites = "; ".join(each["citation"] for each in raw.get("relatedArtifact", ()) if each.get("type") == "citation")
        rows.append(f"| {raw['title']} | {raw['url']} | {len(raw['goal'])} | {len(raw['action'])} | {cites} |")
    return "\n".join(["| template | url | goals | actions | evidence |\n|---|---|---|---|---|", *rows])


def _groupings() -> str:
    rows = [
        f"| `{found.id}` | {found.title} | {len(found.groups)} | {part.what} | {part.source} | {part.licence} |"
        for found in map(comorbidity.grouping, comorbidity.names())
        for part in found.sources
    ]
    return "\n".join(["| file | what | groups | part | source | licence |\n|---|---|---|---|---|---|", *rows])


def _needs() -> str:
    table = read("policies", "needs_1", need.Needs)
    rows = [
        f"| {_words(row.domain)}{': some answers' if row.answers else ''} | {row.text} | `{row.category}` | "
        f"{', '.join(f'{code.code} {code.display}' for code in row.codes) or 'text only'} |"
        for row in table.needs
    ]
    return "\n".join(["| domain | need | category | codes |\n|---|---|---|---|", *rows])

"""What in a transaction's resources points to its entries, and what it says once they have their ids.

R4 has a server replace matching links in references, in elements of type uri, url, oid and uuid, and in the narrative's links and images;
not in canonicals. http://hl7.org/fhir/R4/http.html#trules
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from adapter.fhir.resource import Raw
from adapter.fhir.structure import model_of, parts

_KINDS = frozenset({"Uri", "Url", "Oid", "Uuid", "UuidVersion"})
_LINK = re.compile(r"""(\b(?:href|src)\s*=\s*)(["'])(.*?)\2""", re.DOTALL)
_VERSIONED = re.compile(r"(.+)/_history/[A-Za-z0-9.-]{1,64}")


def rewrite(raw: Raw, names: Mapping[str, tuple[str, int]], resolve: Callable[[str], str | None]) -> Raw:
    """The resource with each link that is in `names` replaced; parts in which nothing changes are shared, not copied.

    `names`: what a link may say → (Type/id, the version the transaction makes of it); a link to a version stays one to a version.
    `resolve` is asked about every other reference, and answers None where it stays.
    """

    def link(text: str) -> str | None:
        if text in names:
            return names[text][0]
        versioned = _VERSIONED.fullmatch(text) if "/_history/" in text else None
        if versioned and versioned[1] in names:
            reference, version = names[versioned[1]]
            return f"{reference}/_history/{version}"
        return None

    def narrative(div: str) -> str:
        return _LINK.sub(lambda found: f"{found[1]}{found[2]}{link(found[3]) or found[3]}{found[2]}", div)

    def text(value: str, key: str, owner: Raw, model: Callable[[], Any]) -> str:
        if key == "reference":
            return link(value) or resolve(value) or value
        if key == "div":
            return narrative(value)
        new = link(value)
        if new is None:
            return value
        element = parts(model(), owner).get(key)
        return new if element and element.kind in _KINDS else value

    def walk(value: Any, key: str, owner: Raw, model: Callable[[], Any]) -> Any:
        if isinstance(value, str):
            return text(value, key, owner, model)
        if isinstance(value, dict):
            # The definition is looked up only where a link is found that is not in a Reference: seldom.
            def inner() -> Any:
                found = parts(model(), owner).get(key)
                return found.model if found else None

            own = model if value is raw else inner
            after: Raw | None = None
            for name, item in value.items():
                new = walk(item, name, value, own)
                if new is not item:
                    after = dict(value) if after is None else after
                    after[name] = new
            return value if after is None else after
        if isinstance(value, list):
            items = [walk(item, key, owner, model) for item in value]
            return value if all(new is old for new, old in zip(items, value, strict=True)) else items
        return value

    rewritten: Raw = walk(raw, "", raw, lambda: model_of(raw["resourceType"]))
    return rewritten

"""Words for codes: what a field, a choice or a coded concept is called where people read it."""

import re
from typing import Any

from adapter.config import CS

_SMALL = {"id": "ID", "url": "URL", "sdoh": "social", "cm": "case manager"}
_KEPT = {"noshow": "not shown up", "onhold": "on hold", "snf": "skilled nursing", "ccm": "CCM", "rn": "RN", "lcsw": "LCSW"}


def label(word: Any) -> str:
    """A code or field name in words, such as `risk_evaluation` → Risk evaluation."""
    text = str(word)
    text = _KEPT.get(text.lower(), text)
    parts = re.split(r"[_\-]+", text)
    told = " ".join(_SMALL.get(part, part) for part in parts if part)
    return told[:1].upper() + told[1:]


def code(value: Any) -> str:
    """A coded concept in words: its text, the display of its code, else the code itself; another's code marked as unresolved."""
    if not isinstance(value, dict):
        return str(value or "")
    return str(value.get("text") or value.get("display") or _bare(value))


def _bare(value: dict[str, Any]) -> str:
    """Of a code alone: those of casebridge are words, of others nobody here knows what they mean."""
    if "code" not in value:
        return ""
    return label(value["code"]) if str(value.get("system", "")).startswith(CS) else f"{value['code']} (unresolved)"

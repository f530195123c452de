"""The codes that say why something is disclosed and why something is withheld, and what each means. docs/packet.md"""

from types import MappingProxyType

CONSENT, NO_OBJECTION, NOT_ASKED, NOBODYS, TARGET = "consent", "no-objection", "not-asked", "open", "target"
BASES = MappingProxyType(
    {
        CONSENT: "A Consent permits it",
        NO_OBJECTION: "No consent is needed, and none denies it",
        NOT_ASKED: "The role needs no consent, or the glass was broken",
        NOBODYS: "It is in nobody's record",
        TARGET: "It is a Provenance of what is allowed",
    }
)
"""Why something is disclosed."""

TYPE, CATEGORY, ELEMENT = "type", "category", "element"
NO_CONSENT, SENSITIVE = "no-consent", "sensitive"
OTHER_PERSON, OUTSIDE_COVER = "other-person", "outside-cover"
NOT_SHOWN, NOT_HERE = "not-shown", "not-here"
ABOUT_WITHHELD, BEYOND_WITHHELD = "about-withheld", "beyond-withheld"
RULES = MappingProxyType(
    {
        TYPE: "The role does not see this type",
        CATEGORY: "The role sees this type in certain categories only",
        ELEMENT: "The role does not see this element",
        CONSENT: "A Consent denies it",
        NO_CONSENT: "The role needs a Consent that permits it, and there is none",
        SENSITIVE: "It is permitted, and its sensitive categories are not",
        OTHER_PERSON: "It is in the record of another person",
        OUTSIDE_COVER: "It is of care before or after the cover",
        NOT_SHOWN: "It is withheld by consent or category, deleted, or was never here: which of these is not told",
        NOT_HERE: "It was deleted, or was never here",
        ABOUT_WITHHELD: "It is a Provenance of what is withheld",
        BEYOND_WITHHELD: "Only what is withheld leads to it",
    }
)
"""Why something is withheld."""

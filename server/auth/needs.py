"""What each interaction and operation needs to be granted, in letters of SMART's scopes (`cruds`).

https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#scopes-for-requesting-fhir-resources
"""

INTERACTIONS = {
    "read": "r",
    "vread": "r",
    "history-instance": "r",
    "search-type": "s",
    "history-type": "s",
    "create": "c",
    "update": "u",
    "patch": "u",
    "delete": "d",
}
"""On the type that the interaction is about."""
WRITING = frozenset("cud")

JUDGED_WITHIN = frozenset(("capabilities", "transaction", "search-system", "history-system"))
"""What is open to all, or made of parts that are judged one by one (the entries of a Bundle, the types of a search)."""

ANY = "*"
OWN = ""
"""The type that the operation is asked on."""

OPERATIONS = {
    "$disclosures": ("AuditEvent", "rs"),
    "$everything": (OWN, "r"),
    "$expand": (OWN, "r"),
    "$extract": (OWN, "r"),
    "$lastn": (OWN, "s"),
    "$lookup": (OWN, "r"),
    "$meta": (OWN, "r"),
    "$meta-add": (OWN, "u"),
    "$meta-delete": (OWN, "u"),
    "$translate": (OWN, "r"),
    "$validate": (OWN, "r"),
    # They look at whatever concerns a case or a person.
    "$bulk-member-match": (ANY, "rs"),
    "$case-trace": (ANY, "rs"),
    "$davinci-data-export": (ANY, "rs"),
    "$evaluate-measure": (ANY, "rs"),
    "$export": (ANY, "rs"),
    # It is found by none but who asked for it, who may have narrower tokens too.
    "export-cancel": (ANY, "rs"),
    "export-file": (ANY, "rs"),
    "export-status": (ANY, "rs"),
    "$member-match": (ANY, "rs"),
    "$payer-packet": (ANY, "rs"),
    "$populate": (ANY, "rs"),
}
"""Type and letters. What is not listed changes things in more than one type, and needs all."""
ALL = (ANY, "cruds")

ROW_BY_ROW = frozenset({"$everything"})
"""Operations that leave out what is not granted; all others need their type whole, without a query and beyond one patient."""

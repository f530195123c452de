"""Care team ↔ CareTeam: http://hl7.org/fhir/R4/careteam.html"""

from adapter.mapping.codes import table
from adapter.mapping.lists import Each, codes, refs
from adapter.mapping.rules import Field, Ref, coded, period
from adapter.mapping.shapes import OWN_CASE
from adapter.mapping.table import Mapping

TEAM_STATUS = table("care-team-status", "proposed active suspended inactive entered-in-error")

CARE_TEAM = Mapping(
    "care_team",
    "CareTeam",
    (
        Ref("subject", "client"),
        OWN_CASE,
        coded("status", "status", TEAM_STATUS),
        Field("name", "name"),
        period("period"),
        Each(
            "participant",
            "participants",
            (codes("role", "roles"), Ref("member", "member"), Ref("onBehalfOf", "on_behalf_of"), period("period")),
            key=("member", "roles", "period.start"),
            partial=True,
        ),
        refs("managingOrganization", "managing_organizations"),
    ),
)

MAPPINGS = (CARE_TEAM,)

"""Plan ↔ CarePlan: http://hl7.org/fhir/R4/careplan.html"""

from adapter.mapping.codes import table
from adapter.mapping.lists import refs
from adapter.mapping.rules import Ref, coded, period
from adapter.mapping.table import Mapping

STATUS = table("request-status", "draft active on-hold revoked completed entered-in-error unknown")
MAPPINGS = (
    Mapping("plan", "CarePlan", (coded("status", "status", STATUS), Ref("subject", "client"), period("period"), refs("goal", "goals"))),
)

"""`Group/$bulk-member-match` of PDex: who of another insurer's new members is here, and lets it read the record kept here.

http://hl7.org/fhir/us/davinci-pdex/OperationDefinition/BulkMemberMatch. Whoever asks sees those alone whose Consent, kept here, names them:
so who did not agree is nobody, like a stranger, and no answer tells whether somebody is known. The Consents that come along are read for
what they allow, and not kept.
"""

from collections.abc import Sequence
from uuid import uuid4

from adapter.access.groups import for_one
from adapter.errors import Forbidden, NotApplicable, TooLarge
from adapter.fhir.resource import Raw, check_structure
from adapter.store.documents import Change
from adapter.sync.exporting.attribution import BORN
from adapter.sync.people.member import member
from server.fhir.messages import Answer
from server.fhir.operations.call import Call, parameters
from server.fhir.operations.inputs import Inputs
from server.fhir.operations.member_match import allows

MOST = 500
"""Members that can be asked about at once."""
MATCHED, NOBODY, CONSTRAINED = "match", "nomatch", "consentconstraint"
"""Codes of the Groups."""
_PDEX = "http://hl7.org/fhir/us/davinci-pdex"
_RESULT = f"{_PDEX}/CodeSystem/PdexMultiMemberMatchResultCS"
_ASKED = f"{_PDEX}/StructureDefinition/base-ext-match-parameters"
# What of a person who was asked about is told again, so that the asker knows who is meant.
_WHO = ("resourceType", "identifier", "name", "gender", "birthDate")
_REST = (("NonMatchedMembers", NOBODY), ("ConsentConstrainedMembers", CONSTRAINED))
_Found = tuple[Raw, str | None]


def run(call: Call) -> Answer:
    """The Groups. That of the members who are here is stored, under the id that it is told with, for whoever asked.

    Raises Forbidden for an asker who is not another insurer, TooLarge, and Invalid for a resource that is malformed.
    """
    asker = _asker(call)
    bundles: Sequence[Inputs] = call.inputs.all("MemberBundle")
    if len(bundles) > MOST:
        raise TooLarge(f"At most {MOST} members can be asked about at once.")
    found: dict[str, list[_Found]] = {code: [] for code in (MATCHED, NOBODY, CONSTRAINED)}
    for bundle in bundles:
        code, reference = _judged(call, bundle)
        found[code].append((bundle.one("MemberPatient"), reference))
    named = [{"entity": {"reference": reference}} for reference in dict.fromkeys(reference for _, reference in found[MATCHED])]
    kept = {**_head(MATCHED), **asker, **({"member": named} if named else {})}
    [stored] = call.repository.commit([Change("Group", str(uuid4()), kept, 0, born=BORN)])
    told = [("MatchedMembers", {**kept, "id": stored.id, **_members(found[MATCHED])})]
    told += [(name, {**_head(code), **_members(found[code])}) for name, code in _REST if found[code]]
    return parameters(*((name, "resource", group) for name, group in told))


def _asker(call: Call) -> Raw:
    """What says for whom the Group is; nothing where nobody is asked who they are."""
    sight = call.request.sight
    if sight is None:
        return {}
    if sight.viewer.organisation is None or "Group" not in sight.policy.by_characteristic or not sight.policy.may_write("Group"):
        raise Forbidden("Only another insurer asks this, by a client that is registered for its organisation as new-payer.")
    return {"characteristic": [for_one((_RESULT, MATCHED), sight.viewer.organisation)]}


def _judged(call: Call, bundle: Inputs) -> tuple[str, str | None]:
    """Into which Group somebody belongs, and who it is here."""
    patient, coverage, consent = (bundle.one(name) for name in ("MemberPatient", "CoverageToMatch", "Consent"))
    for given in (patient, coverage, consent):
        check_structure(given)
    if not allows(consent, call.repository.clock()):
        return CONSTRAINED, None
    try:
        return MATCHED, f"Patient/{member(call.repository, patient, coverage)}"
    except NotApplicable:
        return NOBODY, None


def _head(code: str) -> Raw:
    return {"resourceType": "Group", "type": "person", "actual": True, "code": {"coding": [{"system": _RESULT, "code": code}]}}


def _members(found: Sequence[_Found]) -> Raw:
    """The members of a Group, each with what was asked of them; who is nobody is named by that alone."""
    asked, members = [], []
    for place, (patient, reference) in enumerate(found):
        asked.append({**{name: patient[name] for name in _WHO if name in patient}, "id": f"asked-{place}"})
        members.append({"entity": _entity(f"#asked-{place}", reference)})
    return {"contained": asked, "member": members} if members else {}


def _entity(asked: str, reference: str | None) -> Raw:
    return {"extension": [{"url": _ASKED, "valueReference": {"reference": asked}}], "reference": reference or asked}

import pytest

from adapter.errors import Invalid
from adapter.fhir.scopes import check_system, lacking, scopes


@pytest.mark.parametrize(
    ("first", "second"),
    [("system/Patient.read", "system/Patient.rs"), ("system/*.write", "system/*.cud"), ("system/CarePlan.*", "system/CarePlan.cruds")],
)
def test_both_versions_of_a_scope_mean_the_same(first: str, second: str) -> None:
    assert scopes(first) == scopes(second)
    assert str(scopes(first)[0]) == second


def test_what_is_no_resource_scope_is_left_out() -> None:
    assert [str(scope) for scope in scopes("openid launch/patient patient/Patient.r system/Goal.")] == ["patient/Patient.r"]


@pytest.mark.parametrize("text", ["system/*.rs", "system/Patient.read system/CarePlan.cruds", "system/Observation.rs?category=vital-signs"])
def test_a_service_asks_for_scopes_of_its_own(text: str) -> None:
    check_system(text)


@pytest.mark.parametrize("text", ["", "system/*", "user/*.rs", "system/*.rs openid", "system/*.sr", "system/patient.rs", "system/*."])
def test_what_a_service_cannot_ask_for_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"system/Patient\.read"):
        check_system(text)


@pytest.mark.parametrize(
    ("asked", "granted", "missing"),
    [
        ("system/*.rs", "system/*.read", []),
        ("system/Patient.rs", "system/*.cruds", []),
        ("system/Patient.cruds", "system/Patient.read system/Patient.u", ["system/Patient.cd"]),
        ("system/*.rs", "system/Patient.rs", ["system/*.rs"]),
        ("system/Patient.rs", "user/Patient.rs", ["system/Patient.rs"]),
        ("system/Patient.rs", "system/Patient.rs?active=true", ["system/Patient.rs"]),
        ("system/Patient.rs?active=true", "system/Patient.rs?active=true", []),
        ("system/Patient.rs?active=true", "system/Patient.rs", []),
    ],
)
def test_what_was_not_granted_is_known(asked: str, granted: str, missing: list[str]) -> None:
    assert [str(scope) for scope in lacking(scopes(asked), scopes(granted))] == missing

"""What this server says of its authorization: https://hl7.org/fhir/smart-app-launch/conformance.html"""

from typing import Any

from server.auth.authorization import PROOFS
from server.auth.identity import SIGNED_BY
from server.auth.public_keys import ALGORITHMS

CAPABILITIES = (
    *("launch-ehr", "launch-standalone", "client-public", "client-confidential-asymmetric", "sso-openid-connect"),
    *("context-ehr-patient", "context-ehr-encounter", "context-standalone-patient"),
    *("permission-offline", "permission-online", "permission-patient", "permission-user", "permission-v1", "permission-v2"),
)
_SCOPES = (
    *("openid", "fhirUser", "launch", "launch/patient", "offline_access", "online_access"),
    *("patient/*.cruds", "system/*.cruds", "user/*.cruds"),
)


def smart(address: str) -> dict[str, Any]:
    """The SMART configuration of the server at this address."""
    return {
        **openid(address),
        "introspection_endpoint": f"{address}/oauth/introspect",
        "revocation_endpoint": f"{address}/oauth/revoke",
        "code_challenge_methods_supported": ["S256"],
        "capabilities": [*CAPABILITIES],
    }


def openid(address: str) -> dict[str, Any]:
    """The OpenID Provider's: https://openid.net/specs/openid-connect-discovery-1_0.html"""
    return {
        "issuer": address,
        "jwks_uri": f"{address}/oauth/jwks",
        "authorization_endpoint": f"{address}/oauth/authorize",
        "token_endpoint": f"{address}/oauth/token",
        "token_endpoint_auth_methods_supported": [*PROOFS],
        "token_endpoint_auth_signing_alg_values_supported": [*ALGORITHMS],
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [SIGNED_BY],
        "scopes_supported": [*_SCOPES],
    }

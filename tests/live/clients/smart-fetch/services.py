"""A service of an organisation pulls plans by SMART Backend Services: `services.py LIBRARY BASE KEYS` prints what it got as JSON.

cumulus-fhir-support, on which smart-fetch is built, signs and asks for its token itself; fhirclient is given the text that it proves itself
by.
"""

import asyncio
import json
import sys
import time
import uuid
from importlib.metadata import version
from pathlib import Path

from cumulus_fhir_support import FhirClient
from cumulus_fhir_support.http import NetworkError
from fhirclient.client import FHIRClient
from fhirclient.models.careplan import CarePlan
from fhirclient.server import FHIRNotFoundException
from jwcrypto import jwk, jwt

CLIENT, OURS, THEIRS = "south", "open-ours", "open-theirs"


async def cumulus(base, keys):
    async with FhirClient(base, ["CarePlan"], smart_client_id=CLIENT, smart_jwks=keys) as client:
        read = (await client.request("GET", f"CarePlan/{OURS}")).json()
        found = (await client.request("GET", "CarePlan?_sort=_id")).json()
        try:
            await client.request("GET", f"CarePlan/{THEIRS}", retry_delays=())
        except NetworkError as error:
            return read["id"], [entry["resource"]["id"] for entry in found["entry"]], error.response.status_code


def fhirclient(base, keys):
    [key] = keys["keys"]
    audience = f"{base.removesuffix('/fhir')}/oauth/token"
    claims = {"iss": CLIENT, "sub": CLIENT, "aud": audience, "exp": int(time.time()) + 120, "jti": str(uuid.uuid4())}
    proof = jwt.JWT(header={"alg": key["alg"], "kid": key["kid"]}, claims=claims)
    proof.make_signed_token(jwk.JWK(**key))
    settings = {"app_id": CLIENT, "api_base": base, "scope": "system/CarePlan.rs", "jwt_token": proof.serialize()}
    client = FHIRClient(settings=settings)
    client.wants_patient = False
    client.prepare()
    client.authorize()
    server = client.server
    read = CarePlan.read(OURS, server).id
    found = [plan.id for plan in CarePlan.where({"_sort": "_id"}).perform_resources_iter(server)]
    try:
        CarePlan.read(THEIRS, server)
    except FHIRNotFoundException as error:
        return read, found, error.response.status_code


LIBRARIES = {"cumulus-fhir-support": lambda *given: asyncio.run(cumulus(*given)), "fhirclient": fhirclient}

library = sys.argv[1]
read, found, refused = LIBRARIES[library](sys.argv[2], json.loads(Path(sys.argv[3]).read_text()))
print(json.dumps({"client": f"{library} {version(library)}", "read": read, "found": found, "refused": refused}))

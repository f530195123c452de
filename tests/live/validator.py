"""HL7's own FHIR validator on resources, without a network: the word of somebody else on what we write.

No terminology server is asked, so codes of LOINC, SNOMED CT and the like are not looked up.
"""

import hashlib
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard

from adapter.fhir.resource import Raw, dumps
from adapter.ig.package import archive

from . import java

PROJECT = Path(__file__).with_name("validator")
# The packages are HL7's (CC0) and not part of the project; the folder lies beside it where there is one.
PACKAGES = Path(__file__).parents[3] / "shared" / "validator" / "fhir-packages.tar.zst"
# Code systems that a terminology server would hold, in small, so that fewer codes go unchecked.
OFFLINE_CODES = "local.offline.codesystems#1.0.0"
# What the validator says of a code that it could only look up on a terminology server. It calls some of these errors.
UNDECIDED = "[No server available]"
# The engine deletes a package cache whose packages.ini does not name the cache version it knows.
PACKAGES_INI = "[cache]\nversion = 4\n\n[urls]\n\n[local]\n\n[packages]\n"


@dataclass(frozen=True)
class Issue:
    """One thing the validator says; `resource` counts the given resources from 0. severity: fatal, error, warning, information."""

    severity: str
    location: str
    message: str
    resource: int

    @property
    def is_error(self) -> bool:
        return self.severity in ("fatal", "error")


def validate(resources: Sequence[Raw], profiles: Sequence[str] = (), igs: Sequence[str] = ()) -> list[Issue]:
    """What the validator says of the resources, against R4, our own package and every profile named; `igs` are further packages, such as
    hl7.fhir.us.core#6.1.0.

    All in one call: loading takes it ten seconds or more, a resource milliseconds. Skips the calling test where the packages are absent.
    Raises java.JavaError.
    """
    if not PACKAGES.exists():
        pytest.skip(f"The FHIR packages are not here: {PACKAGES}")
    command = java.command(PROJECT, "casebridge.live.Validate", heap="3g", jvm=(f"-Duser.home={_home()}",))
    with tempfile.TemporaryDirectory(prefix="casebridge-validator-") as name:
        job, answer, own = Path(name, "job.json"), Path(name, "issues.ndjson"), Path(name, "casebridge.fhir.tgz")
        own.write_bytes(archive())
        job.write_text(dumps({"packages": [OFFLINE_CODES, *igs, str(own)], "profiles": list(profiles), "resources": list(resources)}))
        done = subprocess.run([*command, str(job), str(answer)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise java.JavaError(f"The validator ended with code {done.returncode}:\n{done.stderr[-2000:]}")
        issues = [Issue(**json.loads(line)) for line in answer.read_text().splitlines()]
    return [issue for issue in issues if UNDECIDED not in issue.message]


def _home() -> Path:
    """A home folder for the engine that holds the packages."""
    digest = hashlib.sha256(PACKAGES.read_bytes()).hexdigest()[:12]
    with java.alone(f"fhir-packages-{digest}") as home:
        unpacked = home / "unpacked"
        if not unpacked.exists():
            java.say("unpacking the FHIR packages …")
            with PACKAGES.open("rb") as packed, zstandard.open(packed) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
                archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11 has it from 3.11.4 on
                archive.extractall(home)
            (home / ".fhir" / "packages" / "packages.ini").write_text(PACKAGES_INI)
            unpacked.touch()
        return home

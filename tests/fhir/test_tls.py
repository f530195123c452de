"""Connections by https: authorities and certificates made for the test, and a real server that speaks TLS on loopback."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from adapter.clock import utc_now
from adapter.errors import Invalid, RemoteError, RemoteFatal
from adapter.fhir.client import FhirClient
from adapter.fhir.retry import RetryPolicy
from adapter.fhir.tls import Transport
from tests.sync.receiver import Receiver

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Writes the settings' files: the authority, and a certificate of ours by it or by another."""

    def write(by: trustme.CA = authority, **options: datetime) -> dict[str, str]:
        own = by.issue_cert("casebridge.example", **options)
        paths = {name: tmp_path / f"{name}.pem" for name in ("ca_file", "cert_file", "key_file")}
        authority.cert_pem.write_to_path(paths["ca_file"])
        paths["cert_file"].write_bytes(b"".join(pem.bytes() for pem in own.cert_chain_pems))
        paths["key_file"].write_bytes(own.private_key_pem.bytes())
        paths["key_file"].chmod(0o600)
        return {name: str(path) for name, path in paths.items()}

    return write


def serving(
    authority: trustme.CA,
    host: str = "localhost",
    *,
    mutual: bool = False,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    **options: datetime,
) -> Receiver:
    """A server with a certificate of the authority; where mutual, it asks for one of ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    authority.issue_cert(host, **options).configure_cert(context)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return Receiver(context)


def ask(url: str, **settings: str) -> None:
    """One request, made once. Raises what the client raises."""
    session = Transport(**settings).session()
    with FhirClient(f"{url}/fhir", session=session, retry=RetryPolicy(attempts=1), timeout=(5, 5)) as client:
        client.delete("Patient", "1")


def test_a_private_authority_is_trusted_where_it_is_named_and_nowhere_else(
    authority: trustme.CA, files: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(authority) as server:
        with pytest.raises(RemoteFatal, match="DELETE Patient/1 at https://localhost:.*: the authority .* not trusted here.*ca_file"):
            ask(server.url)
        assert server.got == []
        elsewhere = files()["ca_file"].replace("ca_file", "elsewhere")
        trustme.CA().cert_pem.write_to_path(elsewhere)
        # Which requests would heed before a session's own setting.
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", elsewhere)
        ask(server.url, ca_file=files()["ca_file"])
        assert len(server.got) == 1


def test_a_certificate_of_another_host_or_another_time_is_refused(authority: trustme.CA, files: Callable[..., dict[str, str]]) -> None:
    for host, options, text in (
        ("elsewhere.example", {}, "its certificate is that of another host"),
        ("localhost", {"not_after": YESTERDAY}, "its certificate has expired"),
        ("localhost", {"not_before": YESTERDAY + timedelta(days=2)}, "its certificate is not valid yet: is the clock"),
    ):
        with serving(authority, host, **options) as server:
            with pytest.raises(RemoteFatal, match=text):
                ask(server.url, ca_file=files()["ca_file"])
            assert server.got == []


def test_mutual_tls_shows_our_certificate(authority: trustme.CA, files: Callable[..., dict[str, str]]) -> None:
    with serving(authority, mutual=True) as server:
        ask(server.url, **files())
        # Refused after the handshake of TLS 1.3: whether we hear why depends on who is quicker.
        for given in ({"ca_file": files()["ca_file"]}, files(trustme.CA())):
            with pytest.raises(RemoteError):
                ask(server.url, **given)
        assert len(server.got) == 1


def test_mutual_tls_says_what_is_wrong_with_our_certificate(authority: trustme.CA, files: Callable[..., dict[str, str]]) -> None:
    with serving(authority, mutual=True, newest=ssl.TLSVersion.TLSv1_2) as server:
        with pytest.raises(RemoteFatal, match="it asks for our certificate: name it in cert_file and key_file"):
            ask(server.url, ca_file=files()["ca_file"])
        with pytest.raises(RemoteFatal, match=r"it does not accept our certificate \(cert_file\)"):
            ask(server.url, **files(trustme.CA()))
        assert server.got == []


def test_a_server_without_tls_is_told_apart() -> None:
    with Receiver() as server, pytest.raises(RemoteFatal, match="does not speak TLS there"):
        ask(server.url.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("setting", "content", "text"),
    [
        ("ca_file", None, "The file that ca_file names cannot be read"),
        ("ca_file", b"hush", "The file that ca_file names holds no certificate"),
        ("cert_file", None, "The file that cert_file names cannot be read"),
        ("cert_file", b"hush", "The file that cert_file names holds no certificate"),
        ("key_file", None, "The file that key_file names cannot be read"),
        ("key_file", b"hush", "The file that key_file names is not an unencrypted private key"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_by_its_setting(
    files: Callable[..., dict[str, str]], setting: str, content: bytes | None, text: str
) -> None:
    given = files()
    path = Path(given[setting])
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(Invalid, match=text) as caught:
        Transport(**given).session()
    assert caught.value.expression == (setting,)
    assert "hush" not in caught.value.text + str(path.parent)


def test_a_key_of_another_certificate_an_expired_one_and_one_without_the_other_are_refused(files: Callable[..., dict[str, str]]) -> None:
    given = files(not_after=YESTERDAY)
    with pytest.raises(Invalid, match="cert_file has expired"):
        Transport(**given).session()
    given = files()
    Path(given["key_file"]).write_bytes(trustme.CA().issue_cert("casebridge.example").private_key_pem.bytes())
    with pytest.raises(Invalid, match="key_file is not that of the certificate in cert_file"):
        Transport(**given).session()
    for alone, missing in (("cert_file", "key_file"), ("key_file", "cert_file")):
        with pytest.raises(Invalid, match=f"{missing} is not set"):
            Transport(**{alone: given[alone]}).session()


def test_a_private_key_that_others_can_read_is_refused(files: Callable[..., dict[str, str]]) -> None:
    given = files()
    Path(given["key_file"]).chmod(0o640)
    Transport(**given).session().close()
    Path(given["key_file"]).chmod(0o644)
    with pytest.raises(Invalid, match="Other users can read .*key_file.pem"):
        Transport(**given).session()


@pytest.mark.parametrize("url", ["https://ehr.example/fhir", "http://127.0.0.1:8080/fhir", "http://localhost/fhir", "http://[::1]:80/fhir"])
def test_credentials_may_go_by_https_and_to_this_machine(url: str) -> None:
    Transport().check(url)


@pytest.mark.parametrize("url", ["http://ehr.example/fhir", "http://10.0.0.7/fhir", "http://127.0.0.1.ehr.example/fhir"])
def test_credentials_go_in_clear_only_where_a_person_says_so(url: str) -> None:
    with pytest.raises(Invalid, match="in clear: use https, or set cleartext=yes"):
        Transport().check(url)
    Transport(cleartext=True).check(url)


@pytest.mark.parametrize("url", ["", "ehr.example/token", "ftp://ehr.example", "https://", "https://[", "https://ehr.example:port"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="looks like https://host/path"):
        Transport(cleartext=True).check(url)


def test_the_time_of_a_certificate_is_that_of_the_clock(files: Callable[..., dict[str, str]]) -> None:
    given = files(not_after=datetime.now(UTC) + timedelta(days=10))
    Transport(**given).session(utc_now).close()
    with pytest.raises(Invalid, match="has expired"):
        Transport(**given).session(lambda: utc_now() + timedelta(days=11))

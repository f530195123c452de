"""A subscriber by https: its certificate must be one that this machine trusts."""

import shutil
import ssl
import subprocess

import pytest

from adapter.clock import utc_now
from adapter.errors import RemoteTemporary
from adapter.sync.subscriptions.subscriber import Subscriber
from tests.sync.receiver import Receiver

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="the certificate is made with openssl")


@pytest.fixture
def secure(tmp_path):
    """A receiver with a certificate of its own making, and that certificate."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Receiver(context) as receiver:
        yield receiver, certificate


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(secure):
    receiver, _ = secure
    with Subscriber(f"{receiver.url}/hook", 5.0, utc_now) as subscriber, pytest.raises(RemoteTemporary, match="SSLCertVerificationError"):
        subscriber.send("POST", "", [], b"")
    assert receiver.got == []


def test_one_whose_authority_is_named_is_and_the_connection_is_kept(secure, monkeypatch):
    receiver, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Subscriber(f"{receiver.url}/hook", 5.0, utc_now) as subscriber:
        statuses = [subscriber.send("PUT", "Patient/p", [("X-Site", "7")], b"{}").status for _ in range(3)]
    assert statuses == [200] * 3
    assert [(got.path, got.headers["x-site"], got.body) for got in receiver.got] == [("/hook/Patient/p", "7", b"{}")] * 3
    assert receiver.connections == 1


def test_a_kept_connection_that_was_closed_over_there_is_opened_again():
    with Receiver() as receiver, Subscriber(receiver.url, 5.0, utc_now) as subscriber:
        receiver.answer = lambda got: (200, {"Connection": "keep-alive"})
        assert subscriber.send("POST", "", [], b"").status == 200
        receiver.hang_up()
        assert subscriber.send("POST", "", [], b"").status == 200
    assert receiver.connections == 2

"""The tool over TLS: it speaks to nobody whose certificate it cannot check, and a press comes from its own button only."""
import http.server
import json
import os
import ssl
import subprocess
import threading

import pytest

from house import BUILD
from test_broker_certificates import Authority, authority, connect  # noqa: F401 (fixtures)


def run(*words, **environment):
    return subprocess.run([str(BUILD / "clients" / "cli" / "tocsin"), *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **environment})


@pytest.fixture
def desk(authority):  # noqa: F811
    """A daemon's API behind the authority's certificate for 127.0.0.1 and localhost."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'{"alarms":[],"next":null}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "broker.crt", authority.folder / "broker.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_the_daemon_must_prove_who_it_is(authority, desk, tmp_path):  # noqa: F811
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text("tk_x\n")
    url = f"https://127.0.0.1:{desk.server_port}"
    words = ["alarms", "--token-file", token]
    assert run(*words, "--url", url, "--ca-file", authority.folder / "ca.crt").returncode == 0
    assert run(*words, "--url", url, TOCSIN_CA_FILE=str(authority.folder / "ca.crt")).returncode == 0
    unknown = run(*words, "--url", url)
    assert unknown.returncode == 3 and "certificate" in unknown.stderr
    stranger = Authority(tmp_path / "stranger")
    assert run(*words, "--url", url, "--ca-file", stranger.folder / "ca.crt").returncode == 3
    assert run(*words, "--url", url.replace("127.0.0.1", "127.0.0.2"), "--ca-file", authority.folder / "ca.crt").returncode == 3
    missing = run(*words, "--url", url, "--ca-file", tmp_path / "missing.crt")
    assert missing.returncode == 3 and "cannot be reached" in missing.stderr


def test_a_press_needs_the_certificate_of_its_button(authority, connect, tmp_path):  # noqa: F811
    room, gate = authority.device("school-1/room-204"), authority.device("school-1/gate")
    daemon = connect(authority.folder / "daemon")
    assert daemon.is_let_in()
    daemon.subscribe("tocsin/v1/+/+/press")

    def answer(_client, _data, message):
        press = json.loads(message.payload)
        receipt = {"epoch": press["epoch"], "n": press["n"], "stage": "recorded", "alarm": "a" * 21}
        daemon.client.publish(message.topic.replace("/press", "/receipt"), json.dumps(receipt), 1)

    daemon.client.on_message = answer
    words = ["press", "--site", "school-1", "--device", "room-204", "--broker", f"127.0.0.1:{connect.broker.port}", "--wait", "2"]

    def identity(pair, ca=authority.folder / "ca.crt"):
        return ["--broker-ca-file", ca, "--certificate-file", f"{pair}.crt", "--private-key-file", f"{pair}.key"]

    done = run(*words, *identity(room))
    assert done.returncode == 0 and "receipt: recorded" in done.stdout, done.stderr
    assert run(*words, *identity(gate)).returncode in (1, 4), "a press in another button's name had a receipt"
    stranger = Authority(tmp_path / "stranger")
    assert run(*words, *identity(room, stranger.folder / "ca.crt")).returncode == 3, "a broker that is not ours was believed"
    assert run(*words, "--broker-ca-file", authority.folder / "ca.crt").returncode in (3, 4)
    assert run(*words).returncode in (3, 4), "it spoke in the clear to a TLS broker"

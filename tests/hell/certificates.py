#!/usr/bin/python3
"""Certificates for tests, made on the fly with openssl: one good authority, and every way to be wrong.

    certificates.py FOLDER            makes them there; ca.pem is the authority, crl.pem its revocations

Library: certificates.make(folder). Each kind of KINDS becomes <kind>.pem and <kind>.key; `client` and
`other-client` are for the client's side. All are for the host `localhost` and the address 127.0.0.1.
"""
import os
import subprocess
import sys

CA_CONF = """
[ca]
default_ca = here
[here]
dir = {dir}
database = {dir}/index.txt
serial = {dir}/serial
crlnumber = {dir}/crlnumber
new_certs_dir = {dir}
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
[good]
subjectAltName = DNS:localhost, IP:127.0.0.1
[wrong]
subjectAltName = DNS:elsewhere.example
"""

# kind: (extensions, not before, not after); None = from now, for 30 days
KINDS = {
    "good": ("good", None, None),
    "expired": ("good", "20200101000000Z", "20210101000000Z"),
    "not-yet-valid": ("good", "20900101000000Z", "20910101000000Z"),
    "wrong-host": ("wrong", None, None),
    "revoked": ("good", None, None),
    "client": ("good", None, None),
}


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (" ".join(arguments), done.stderr.strip()))


def make_key(folder, name):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-out", f"{folder}/{name}.key")
    os.chmod(f"{folder}/{name}.key", 0o600)


def make_self_signed(folder, name):
    make_key(folder, name)
    openssl("req", "-x509", "-new", "-key", f"{folder}/{name}.key", "-subj", f"/CN={name}", "-days", "30",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", f"{folder}/{name}.pem")


def make_signed(folder, name, extensions, start, end):
    make_key(folder, name)
    openssl("req", "-new", "-key", f"{folder}/{name}.key", "-subj", f"/CN={name}",
            "-out", f"{folder}/{name}.csr")
    dates = ["-startdate", start, "-enddate", end] if start else []
    openssl("ca", "-batch", "-config", f"{folder}/ca.conf", "-notext", "-in", f"{folder}/{name}.csr",
            "-out", f"{folder}/{name}.pem", "-extensions", extensions, *dates)


def make(folder):
    """Makes everything in `folder`; returns it."""
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    for name, text in (("ca.conf", CA_CONF.format(dir=folder)), ("index.txt", ""), ("serial", "1000\n"),
                       ("crlnumber", "1000\n")):
        with open(f"{folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)
    for name in ("ca", "self-signed", "other-client"):
        make_self_signed(folder, name)
    for name, (extensions, start, end) in KINDS.items():
        make_signed(folder, name, extensions, start, end)
    openssl("ca", "-config", f"{folder}/ca.conf", "-revoke", f"{folder}/revoked.pem")
    openssl("ca", "-config", f"{folder}/ca.conf", "-gencrl", "-out", f"{folder}/crl.pem")
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        sys.exit(0 if sys.argv[1:] in (["--help"], ["-h"]) else 2)
    make(sys.argv[1])

#!/usr/bin/python3
"""Endpoints from hell: one HTTP server whose behaviour is chosen by the first part of the URL's path.

    endpoints.py --list                 every behaviour in one line
    endpoints.py [--log FILE] [--tls]   serves on free ports of 127.0.0.1; its first line of output:
               {"http":4711, "black-hole":…, "refused":…, "closing":…, "resetting":…,
                "tls":{"good":…, "expired":…, …}, "certificates":FOLDER}
               it ends when its standard input does

    http://127.0.0.1:4711/echo/police                 /<behaviour>/<anything>: the whole path is one endpoint
    http://127.0.0.1:4711/status?code=503&retry=7     parameters of the behaviour

Each request is one line of the log: {"at", "path", "behaviour", "connection", "nth", "id", "timestamp",
"signature", "expect", "cookie", "host", "body"}; `connection` counts connections, `nth` the requests on it.

Library:

    with Hell(tls=True) as hell:
        hell.url("echo/police"); hell.url("ok", tls="good"); hell.url(door="refused")
        hell.wait(lambda seen: len(seen) >= 2, timeout_s=5)    # seen: requests as in the log
"""
import argparse
import asyncio
import json
import os
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import certificates  # noqa: E402
from behaviours import BEHAVIOURS, Drop, Request, hang_up  # noqa: E402

TLS_DOORS = ("good", "expired", "not-yet-valid", "wrong-host", "self-signed", "revoked", "client-required")


def tls_context(door, folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    kind = door if os.path.exists(f"{folder}/{door}.pem") else "good"
    if door == "client-required":
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(f"{folder}/ca.pem")
    context.load_cert_chain(f"{folder}/{kind}.pem", f"{folder}/{kind}.key")
    return context


async def only_tls_1_0(reader, writer):
    """What a server of TLS 1.0 says to a client that wants more: alert protocol_version (RFC 2246, 7.2)."""
    await reader.read(4096)
    writer.write(bytes((21, 3, 1, 0, 2, 2, 70)))
    await writer.drain()
    writer.close()


def black_hole():
    """A listening socket whose queue is full: no connection is ever made. Returns it and what fills it."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fill = []
    for _ in range(4):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
        fill.append(one)
    return listener, fill


class Hell:
    """The server, in a thread of its own."""

    def __init__(self, tls=False, log=None, host="127.0.0.1"):
        self.host, self.log = host, open(log, "a", encoding="utf-8", buffering=1) if log else None
        self.seen, self.counts, self.connections = [], {}, 0
        self.changed = threading.Condition()
        self.folder = tempfile.mkdtemp(prefix="tocsin-hell-") if tls else None
        self.ports, self.servers = {"tls": {}}, []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(30)
        self.hole, self.fill = black_hole()
        self.closed = socket.socket()
        self.closed.bind((self.host, 0))  # bound, and never listening
        self.ports["black-hole"] = self.hole.getsockname()[1]
        self.ports["refused"] = self.closed.getsockname()[1]
        return self

    async def open(self, serve, **options):
        """Opens one more door; returns its port."""
        server = await asyncio.start_server(serve, self.host, 0, backlog=1024, **options)
        self.servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def listen(self):
        self.ports["http"] = await self.open(self.serve, limit=1 << 20)
        self.ports["closing"] = await self.open(lambda reader, writer: hang_up(writer, reset=False))
        self.ports["resetting"] = await self.open(lambda reader, writer: hang_up(writer, reset=True))
        if not self.folder:
            return
        certificates.make(self.folder)
        self.ports["certificates"] = self.folder
        for door in TLS_DOORS:
            self.ports["tls"][door] = await self.open(self.serve, ssl=tls_context(door, self.folder))
        self.ports["tls"]["old-version"] = await self.open(only_tls_1_0)

    def stop(self):
        async def end():
            for server in self.servers:
                server.close()
            while left := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        for one in (self.hole, self.closed, *self.fill):
            one.close()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.log:
            self.log.close()

    def url(self, path="ok", tls=None, door="http"):
        if tls:
            return f"https://localhost:{self.ports['tls'][tls]}/{path}"
        return f"http://{self.host}:{self.ports[door]}/{path}"

    def count(self, path):
        """How many requests this path has had, this one included."""
        return self.counts.get(path, 0)

    def requests(self, path=None):
        with self.changed:
            return [entry for entry in self.seen if path is None or entry["path"] == "/" + path.lstrip("/")]

    def wait(self, condition, timeout_s=10.0):
        """Waits until condition(requests seen so far) is true; returns whether it became so."""
        with self.changed:
            return bool(self.changed.wait_for(lambda: condition(list(self.seen)), timeout_s))

    def note(self, request):
        headers = request.headers
        entry = {"at": time.time(), "path": request.path, "behaviour": request.behaviour,
                 "connection": request.connection, "nth": request.nth, "id": headers.get("webhook-id"),
                 "timestamp": headers.get("webhook-timestamp"), "signature": headers.get("webhook-signature"),
                 "expect": headers.get("expect"), "cookie": headers.get("cookie"),
                 "host": headers.get("host"),
                 "body": request.body.decode("utf-8", "replace")}
        with self.changed:
            self.counts[request.path] = self.counts.get(request.path, 0) + 1
            self.seen.append(entry)
            self.changed.notify_all()
        if self.log:
            self.log.write(json.dumps(entry, ensure_ascii=False) + "\n")

    async def read(self, reader, writer, connection, nth):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        if "expect" not in headers or not first.split(" ")[1].startswith("/continue-never"):
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        else:
            body = b""
        return Request(self, reader, writer, first.split(" ")[1], headers, body, connection, nth)

    async def serve(self, reader, writer):
        self.connections += 1
        connection, nth = self.connections, 0
        try:
            while True:
                nth += 1
                request = await self.read(reader, writer, connection, nth)
                self.note(request)
                await self.behave(request)
        except (Drop, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ssl.SSLError,
                asyncio.CancelledError, ValueError, IndexError):
            pass
        finally:
            writer.close()

    async def behave(self, request):
        """A behaviour ends when the client goes, so that nothing is left behind."""
        function = BEHAVIOURS.get(request.behaviour)
        if not function:
            await request.answer(404, "no such behaviour; see endpoints.py --list\n")
            return
        work = asyncio.ensure_future(function(request))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=0.25)
                if not work.done() and (request.reader.at_eof() or request.writer.transport.is_closing()):
                    raise Drop
            await work
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name every behaviour and end")
    parser.add_argument("--log", metavar="FILE", help="append each request to FILE, one JSON object a line")
    parser.add_argument("--tls", action="store_true", help="also over TLS, with good and bad certificates")
    arguments = parser.parse_args()
    if arguments.list:
        for name, function in sorted(BEHAVIOURS.items()):
            print(f"{name:22}{function.__doc__.splitlines()[0]}")
        return
    with Hell(tls=arguments.tls, log=arguments.log) as hell:
        print(json.dumps(hell.ports), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()

"""What the endpoints from hell do (endpoints.py): one function a behaviour, found in BEHAVIOURS."""
import asyncio
import json
import socket
import struct
import urllib.parse
import zlib

REASONS = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently",
           302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect", 404: "Not Found",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}
BEHAVIOURS = {}


def hang_up(writer, reset):
    if reset:
        one = writer.get_extra_info("socket")
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Drop(Exception):
    """The connection is to be closed now."""


class Request:
    """One request, and what a behaviour may do with its connection."""

    def __init__(self, hell, reader, writer, target, headers, body, connection, nth):
        self.hell, self.reader, self.writer = hell, reader, writer
        self.target, self.headers, self.body = target, headers, body
        self.connection, self.nth = connection, nth
        url = urllib.parse.urlsplit(target)
        self.path = url.path
        self.parameters = dict(urllib.parse.parse_qsl(url.query))
        self.behaviour = url.path.strip("/").split("/")[0]

    def parameter(self, name, default):
        return type(default)(self.parameters.get(name, default))

    @property
    def alarm(self):
        """The id of the alarm that the body tells of."""
        try:
            return json.loads(self.body)["data"]["alarm"]["id"]
        except (ValueError, KeyError, TypeError):
            return ""

    async def send(self, data):
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def answer(self, status=200, body=b"", headers=()):
        body = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}", *headers]
        if status != 204:
            lines.append(f"Content-Length: {len(body)}")
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def answer_json(self, value, status=200):
        await self.answer(status, json.dumps(value), ["Content-Type: application/json"])

    def reset(self):
        """RST instead of FIN."""
        hang_up(self.writer, reset=True)
        raise Drop


def behaviour(function):
    """The name is the function's, with '-' for '_'; its first line of documentation is the list's."""
    BEHAVIOURS[function.__name__.strip("_").replace("_", "-")] = function
    return function


# ---- good ----

@behaviour
async def ok(request):
    """200 {}"""
    await request.answer_json({})


@behaviour
async def echo(request):
    """200 with the alarm's id, as agreed by `confirm: echo`"""
    await request.answer_json({"alarm": request.alarm})


@behaviour
async def ack(request):
    """received and acknowledged: ?by=desk-3, from the ?after=1st request on"""
    answer = {"alarm": request.alarm}
    if request.hell.count(request.path) >= request.parameter("after", 1):
        answer["ack"] = {"by": request.parameter("by", "desk-3")}
    await request.answer_json(answer)


@behaviour
async def refuse(request):
    """refused: ?reason=…, ?code=200 or 4xx"""
    await request.answer_json({"refuse": {"reason": request.parameter("reason", "not our district")}},
                              request.parameter("code", 200))


@behaviour
async def created(request):
    """201 without a body"""
    await request.answer(201)


@behaviour
async def accepted(request):
    """202 without a body"""
    await request.answer(202)


@behaviour
async def no_content(request):
    """204"""
    await request.answer(204)


@behaviour
async def chunked(request):
    """200 with the echo in chunks of one byte"""
    body = json.dumps({"alarm": request.alarm})
    await request.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
                       "".join(f"1\r\n{c}\r\n" for c in body) + "0\r\n\r\n")


@behaviour
async def http10(request):
    """HTTP/1.0, the body ends with the connection"""
    await request.send("HTTP/1.0 200 OK\r\n\r\n" + json.dumps({"alarm": request.alarm}))
    raise Drop


@behaviour
async def hints_first(request):
    """three 1xx answers, then 200 with the echo"""
    await request.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
                       "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
    await echo(request)


# ---- now and then ----

@behaviour
async def fail_first(request):
    """?code=503 to the first ?n=1 requests, then 200 with the echo, or ?then=…"""
    if request.hell.count(request.path) <= request.parameter("n", 1):
        await request.answer(request.parameter("code", 503))
    elif (then := request.parameter("then", 200)) != 200:
        await request.answer(then)
    else:
        await echo(request)


@behaviour
async def flapping(request):
    """503 and 200 in turn"""
    await request.answer(503 if request.hell.count(request.path) % 2 else 200)


@behaviour
async def conflicting(request):
    """acknowledges first, refuses from then on"""
    await (ack(request) if request.hell.count(request.path) == 1 else refuse(request))


@behaviour
async def late(request):
    """200 with the echo after ?s=3"""
    await asyncio.sleep(request.parameter("s", 3.0))
    await echo(request)


@behaviour
async def late_first(request):
    """the first request is answered after ?s=3, the others at once"""
    if request.hell.count(request.path) == 1:
        await asyncio.sleep(request.parameter("s", 3.0))
    await echo(request)


@behaviour
async def status(request):
    """?code=503 after ?s=0, with ?retry=… as Retry-After"""
    await asyncio.sleep(request.parameter("s", 0.0))
    retry = request.parameter("retry", "")
    await request.answer(request.parameter("code", 503), b"", [f"Retry-After: {retry}"] if retry else [])


# ---- slow ----

@behaviour
async def silent(request):
    """takes the request and never answers"""
    await asyncio.sleep(3600)


@behaviour
async def probes_only(request):
    """probes are answered, tellings never"""
    await (silent if request.alarm else echo)(request)


@behaviour
async def silent_but(request):
    """answers only those whose webhook-id begins with ?to=new"""
    answered = request.headers.get("webhook-id", "").startswith(request.parameter("to", "new"))
    await (echo if answered else silent)(request)


@behaviour
async def slow_loris(request):
    """one byte of a good answer a second"""
    for c in "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
        await request.send(c)
        await asyncio.sleep(1)


@behaviour
async def slow_body(request):
    """the head at once, then one byte of the body a second"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n")
    for _ in range(60):
        await request.send(" ")
        await asyncio.sleep(1)


@behaviour
async def endless_headers(request):
    """a header each 50 ms, for ever"""
    await request.send("HTTP/1.1 200 OK\r\n")
    for i in range(10**6):
        await request.send(f"X-More-{i}: yes\r\n")
        await asyncio.sleep(0.05)


@behaviour
async def endless_continue(request):
    """100 Continue each 50 ms, for ever"""
    for _ in range(10**6):
        await request.send("HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.05)


@behaviour
async def continue_never(request):
    """a client that sends Expect: waits for ever; others get 200 with the echo"""
    if "expect" in request.headers:
        await asyncio.sleep(3600)
    await echo(request)


@behaviour
async def stall_in_head(request):
    """half a head, then nothing"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Le")
    await asyncio.sleep(3600)


@behaviour
async def stall_in_body(request):
    """half a body, then nothing"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"alarm\":")
    await asyncio.sleep(3600)


# ---- connections that end ----

@behaviour
async def close_after_request(request):
    """FIN instead of an answer"""
    raise Drop


@behaviour
async def reset_after_request(request):
    """RST instead of an answer"""
    request.reset()


@behaviour
async def reset_in_head(request):
    """RST in the middle of the head"""
    await request.send("HTTP/1.1 200 OK\r\nConte")
    await asyncio.sleep(0.05)
    request.reset()


@behaviour
async def reset_in_body(request):
    """RST in the middle of the body"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"alarm\":")
    await asyncio.sleep(0.05)
    request.reset()


@behaviour
async def short_body(request):
    """a body shorter than its Content-Length, then FIN"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}")
    raise Drop


@behaviour
async def close_when_idle(request):
    """200 with the echo and keep-alive, then FIN at once: it is closed just before it would be used again"""
    await echo(request)
    raise Drop


@behaviour
async def reset_on_reuse(request):
    """the second request on a connection gets RST, the first 200 with the echo"""
    if request.nth > 1:
        request.reset()
    await echo(request)


@behaviour
async def half_close(request):
    """FIN from the endpoint's side with half an answer, the connection stays open"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")
    request.writer.write_eof()
    await asyncio.sleep(3600)


# ---- answers that are none ----

@behaviour
async def garbage(request):
    """200 with 500 bytes of noise"""
    await request.answer(200, bytes((i * 197 + 31) % 256 for i in range(500)))


@behaviour
async def empty(request):
    """200 with no body"""
    await request.answer(200)


@behaviour
async def html(request):
    """200 with a login page"""
    await request.answer(200, "<!doctype html><title>Log in</title>", ["Content-Type: text/html"])


@behaviour
async def wrong_id(request):
    """200 with the id of another alarm"""
    await request.answer_json({"alarm": "a" + "2" * 20})


@behaviour
async def deep_json(request):
    """200 with JSON of 20,000 levels"""
    await request.answer(200, "[" * 20000 + "]" * 20000)


@behaviour
async def duplicate_keys(request):
    """200 with the echo and another id under the same key"""
    await request.answer(200, f'{{"alarm":"x","alarm":"{request.alarm}"}}')


@behaviour
async def control_characters(request):
    """a refusal whose reason would move a terminal's cursor"""
    await request.answer_json({"refuse": {"reason": "\x1b[2Jno\r\nX-Injected: yes\x07\u202e."}})


@behaviour
async def not_http(request):
    """an SMTP greeting"""
    await request.send("220 mail.example ESMTP\r\n")
    raise Drop


@behaviour
async def bad_status(request):
    """a status line that is none"""
    await request.send("HTTP/1.1 abc Yes\r\nContent-Length: 0\r\n\r\n")
    raise Drop


@behaviour
async def bad_version(request):
    """a version that there is not, and no status behind it; the connection stays open"""
    await request.send("HTTP/20.1 yes OK\r\n\r\n")
    await asyncio.sleep(3600)


@behaviour
async def bad_length(request):
    """a negative Content-Length"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}")
    raise Drop


@behaviour
async def bad_chunk(request):
    """a chunk whose size is no number"""
    await request.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
    raise Drop


@behaviour
async def two_lengths(request):
    """Content-Length and Transfer-Encoding at once, with an answer hidden behind"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "2\r\n{}\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@behaviour
async def two_lengths_apart(request):
    """the same, with a header between them that looks like the beginning of an answer"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nHTTP/1.1: 200\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "2\r\n{}\r\n0\r\n\r\n")


@behaviour
async def two_ends(request):
    """a header line that begins with CR: some end the head there, others do not"""
    await request.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\rX: y\r\nTransfer-Encoding: chunked\r\n\r\n'
                       '2\r\n{}\r\n0\r\n\r\n')


@behaviour
async def two_answers(request):
    """503 and, behind it, an answer nobody asked for, acknowledging in the endpoint's name"""
    hidden = '{"ack":{"by":"forged"}}'
    await request.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
                       f"HTTP/1.1 200 OK\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}")


@behaviour
async def two_answers_apart(request):
    """503, and 50 ms later, when the connection is idle, an answer nobody asked for, acknowledging in the endpoint's name"""
    await request.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    await asyncio.sleep(0.05)
    hidden = '{"ack":{"by":"forged"}}'
    await request.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(hidden)}\r\n\r\n{hidden}")


@behaviour
async def upgrade(request):
    """101 Switching Protocols"""
    await request.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
    raise Drop


@behaviour
async def cookie(request):
    """200 with the echo and a cookie that nobody should keep"""
    await request.answer(200, json.dumps({"alarm": request.alarm}), ["Set-Cookie: session=1; Path=/"])


# ---- too much ----

@behaviour
async def huge_body(request):
    """200 with a body of 1 GB"""
    await request.send("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(16384):
        await request.send(b" " * 65536)


@behaviour
async def header_bomb(request):
    """a million headers"""
    await request.send("HTTP/1.1 200 OK\r\n")
    for i in range(1000):
        await request.send("".join(f"X-{i}-{k}: yes\r\n" for k in range(1000)))


@behaviour
async def long_header(request):
    """one header of 10 MB"""
    await request.send("HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(160):
        await request.send(b"x" * 65536)


@behaviour
async def gzip(request):
    """200 with gzip that nobody asked for: 100 MB of zeros in 100 KB"""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(50)) + packer.flush()
    await request.answer(200, body, ["Content-Encoding: gzip"])


# ---- elsewhere ----

@behaviour
async def redirect(request):
    """?code=302 to ?to=/ok/redirected"""
    await request.answer(request.parameter("code", 302), b"",
                         [f"Location: {request.parameter('to', '/ok/redirected')}"])


@behaviour
async def redirect_loop(request):
    """302 to itself"""
    await request.answer(302, b"", [f"Location: {request.target}"])

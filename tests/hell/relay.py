#!/usr/bin/python3
"""A TCP relay from hell: a network between two parts that delays, trickles, stalls, cuts, resets, by a seed.

    relay.py --to HOST:PORT [--listen PORT] [--seed N] [--chaos] [FAULT=VALUE …]
                    the first line of output is the port it listens on; ends when its standard input does

    delay=0.2       s before each piece goes on              down=1    new connections are reset at once
    jitter=0.1      s more, at random                        hole=1    nothing goes on, nothing is refused
    trickle=1       bytes a second                           cut=100   FIN to both sides after so many bytes
    stall=100       nothing goes on after so many bytes      reset=100 RST to both sides after so many bytes
    half_close=100  FIN to the receiver after so many bytes, the sender may go on
    corrupt=0.01    chance that a byte is another one        duplicate=0.01  chance that a piece goes twice
    direction=up    only from the client on: up; only to it: down; both (default)

--chaos chooses one fault for each connection by the seed: the same seed gives the same faults in order.

Library:

    with Relay(("127.0.0.1", 1883), seed=7) as relay:
        connect_to(relay.port)
        relay.set(hole=1)              # from now on, open connections included
        relay.set()                    # a good network again
        relay.drop(reset=True)         # every open connection ends now
"""
import argparse
import asyncio
import random
import socket
import struct
import sys
import threading

FAULTS = {"delay": 0.0, "jitter": 0.0, "trickle": 0.0, "stall": -1, "half_close": -1, "reset": -1, "cut": -1,
          "corrupt": 0.0, "duplicate": 0.0, "hole": 0, "down": 0, "direction": "both"}


def faults(**given):
    unknown = set(given) - set(FAULTS)
    if unknown:
        raise ValueError("no such fault: " + ", ".join(sorted(unknown)) + "; there are " + ", ".join(FAULTS))
    return FAULTS | {name: type(FAULTS[name])(value) for name, value in given.items()}


def chaos(chance):
    """One fault, of moderate size, by a random number generator of one's own."""
    name = chance.choice(["none", "none", "delay", "trickle", "stall", "half_close", "reset", "cut"])
    values = {"none": {}, "delay": {"delay": chance.uniform(0.01, 0.5), "jitter": 0.1},
              "trickle": {"trickle": 200}}
    return faults(**values.get(name, {name: chance.choice([0, 20, 200, 2000])}))


class Pair:
    """Two connections, one to each side."""

    def __init__(self, relay, client, own):
        self.relay, self.client, self.server, self.own = relay, client, None, own
        self.chance = random.Random(f"{relay.seed}/{relay.connections}")

    @property
    def plan(self):
        return self.own or self.relay.plan

    def end(self, reset=False):
        for writer in (self.client, self.server):
            if not writer:
                continue
            if reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                           struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()

    def spoil(self, data):
        plan = self.plan
        if plan["corrupt"] > 0:
            data = bytes(b ^ (1 << self.chance.randrange(8)) if self.chance.random() < plan["corrupt"] else b
                         for b in data)
        return data * 2 if plan["duplicate"] > 0 and self.chance.random() < plan["duplicate"] else data

    async def send(self, writer, data):
        plan = self.plan
        if plan["delay"] or plan["jitter"]:
            await asyncio.sleep(plan["delay"] + plan["jitter"] * self.chance.random())
        while data and self.plan["trickle"] > 0:
            writer.write(data[:1])
            await writer.drain()
            await asyncio.sleep(1 / self.plan["trickle"])
            data = data[1:]
        writer.write(data)
        await writer.drain()

    async def pump(self, reader, writer, direction):
        """One way. A limit counts the bytes of this way."""
        passed = 0
        while True:
            data = await reader.read(65536)
            while self.plan["hole"]:
                await asyncio.sleep(0.02)
            if not data:
                writer.write_eof()
                return
            plan = self.plan
            concerned = plan["direction"] in ("both", direction)
            if not concerned:
                writer.write(data)
                await writer.drain()
                continue
            name = next((n for n in ("stall", "half_close", "reset", "cut") if plan[n] >= 0), None)
            room = plan[name] - passed if name else len(data)
            await self.send(writer, self.spoil(data[:max(room, 0)]))
            passed += len(data)
            if name and passed >= plan[name]:
                await self.limit(name, reader, writer)
                return

    async def limit(self, name, reader, writer):
        if name == "half_close":
            writer.write_eof()
        if name in ("half_close", "stall"):
            while await reader.read(65536):
                pass
            await asyncio.sleep(3600)
        self.end(reset=name == "reset")

    async def run(self, client_reader):
        host, port = self.relay.to
        server_reader, self.server = await asyncio.open_connection(host, port)
        await asyncio.gather(self.pump(client_reader, self.server, "up"),
                             self.pump(server_reader, self.client, "down"))


class Relay:
    """The relay, in a thread of its own."""

    def __init__(self, to, listen=0, seed=0, chaos=False, **given):
        self.to, self.listen_port, self.seed, self.chaos = to, listen, seed, chaos
        self.plan, self.connections, self.port = faults(**given), 0, 0
        self.chance, self.pairs, self.tasks = random.Random(seed), set(), set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(10)
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self.end(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.listen_port, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]

    async def end(self):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def set(self, **given):
        """The network is like this from now on; connections with a fault of their own (chaos) keep it."""
        self.plan = faults(**given)

    def drop(self, reset=False):
        async def now():
            for pair in list(self.pairs):
                pair.end(reset)
        asyncio.run_coroutine_threadsafe(now(), self.loop).result(10)

    async def serve(self, reader, writer):
        task = asyncio.current_task()
        self.tasks.add(task)
        self.connections += 1
        pair = Pair(self, writer, chaos(self.chance) if self.chaos else None)
        self.pairs.add(pair)
        try:
            if self.plan["down"]:
                pair.end(reset=True)
            else:
                await pair.run(reader)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.tasks.discard(task)
            self.pairs.discard(pair)
            pair.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, metavar="HOST:PORT")
    parser.add_argument("--listen", type=int, default=0, metavar="PORT")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chaos", action="store_true")
    parser.add_argument("fault", nargs="*", metavar="FAULT=VALUE")
    arguments = parser.parse_args()
    host, _, port = arguments.to.rpartition(":")
    try:
        given = dict(fault.split("=", 1) for fault in arguments.fault)
        relay = Relay((host, int(port)), arguments.listen, arguments.seed, arguments.chaos, **given)
    except ValueError as wrong:
        parser.error(str(wrong))
    with relay:
        print(relay.port, flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    main()

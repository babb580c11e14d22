#!/usr/bin/env python3
"""The demo's Redis client: outside the outer containers, with no idea that anything migrates.

usage: client.py fill  HOST MIB          sets MIB of random values, prints their digest
       client.py write LOG HOST...       writes numbered values until SIGTERM, through the first host that answers
       client.py check LOG HOST          reads all back; prints the counts and Redis's own run id; exit code 1: one is missing

LOG has one line per acknowledged write: number, time of the acknowledgement in s, host. A write that is not acknowledged is
repeated until it is.
"""
import hashlib
import os
import signal
import socket
import sys
import time

PORT = 6379
BLOCK_BYTES = 16384
# Longer than any reply takes here, and short against a migration: what the client adds to the downtime that it sees.
PATIENCE_SECONDS = 0.05
PAUSE_SECONDS = 0.002


class Redis:
    """One connection; speaks RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec/)."""

    def __init__(self, host, timeout):
        self.socket = socket.create_connection((host, PORT), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.replies = self.socket.makefile("rb")

    def close(self):
        self.replies.close()
        self.socket.close()

    def ask(self, *commands):
        self.socket.sendall(b"".join(map(encode, commands)))
        return [self.reply() for _ in commands]

    def reply(self):
        line = self.replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed in the middle of a reply")
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            return None if rest == b"-1" else self.replies.read(int(rest) + 2)[:-2]
        if kind not in b"+:":
            raise ConnectionError(rest.decode())
        return rest


def encode(command):
    words = [word if isinstance(word, bytes) else str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def batches(items, size):
    return (items[i : i + size] for i in range(0, len(items), size))


def fill(host, mib):
    redis = Redis(host, 10)
    digest = hashlib.sha256()
    for numbers in batches(range(int(mib) * 1024 * 1024 // BLOCK_BYTES), 64):
        values = [os.urandom(BLOCK_BYTES) for _ in numbers]
        redis.ask(*(("SET", f"block:{number}", value) for number, value in zip(numbers, values)))
        for value in values:
            digest.update(value)
    print(digest.hexdigest())


def write(log_path, *hosts):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    hosts = list(hosts)
    number = 1
    redis = None
    with open(log_path, "w", buffering=1) as log:
        while True:
            try:
                redis = redis or Redis(hosts[0], PATIENCE_SECONDS)
                redis.ask(("SET", f"write:{number}", number))
                log.write(f"{number} {time.time():.6f} {hosts[0]}\n")
                number += 1
                time.sleep(PAUSE_SECONDS)
            except OSError:
                if redis:
                    redis.close()
                    redis = None
                hosts.append(hosts.pop(0))
                time.sleep(PAUSE_SECONDS)


def check(log_path, host):
    redis = Redis(host, 10)
    with open(log_path) as log:
        acknowledged = [line.split()[0] for line in log]
    missing = 0
    for numbers in batches(acknowledged, 500):
        replies = redis.ask(*(("GET", f"write:{number}") for number in numbers))
        missing += sum(reply != number.encode() for number, reply in zip(numbers, replies))
    digest = hashlib.sha256()
    blocks = 0
    while (value := redis.ask(("GET", f"block:{blocks}"))[0]) is not None:
        digest.update(value)
        blocks += 1
    info = redis.ask(("INFO", "server"))[0].decode()
    run_id = next(line for line in info.splitlines() if line.startswith("run_id:")).removeprefix("run_id:")
    print(len(acknowledged), missing, digest.hexdigest(), run_id)
    sys.exit(1 if missing or not acknowledged else 0)


if __name__ == "__main__":
    commands = {"fill": fill, "write": write, "check": check}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])

"""Counts every 20 ms like counter.py, and first looks whether its memory and its file are as it left them: each count changes one
page of its memory that it looks at, and the line in /state. Looks at all its memory every 64 counts, and within ten after it has stood
still; not at once, so that it counts while a post-copy still brings the rest. Tells a witness each count by UDP:
`checker.py HOST PORT [MEBIBYTES]`. Ends when something is wrong."""
import hashlib
import itertools
import os
import socket
import sys
import time

PAGE = 4096
PAGES = 256 * int(sys.argv[3] if len(sys.argv) > 3 else 4)
ALL_EVERY = 64
ALL_SOON = 10
# Longer than the pause between two counts; a busy machine that is taken for a freeze costs one more look.
STOOD_STILL = 0.06
witness = (sys.argv[1], int(sys.argv[2]))
secret = os.urandom(8).hex()
noise = hashlib.shake_128(secret.encode()).digest(1 << 20)
versions = [0] * PAGES
block = bytearray(PAGES * PAGE)


def content(page):
    at = (page * 7919 + versions[page] * 104729) % (len(noise) - PAGE)
    return noise[at:at + PAGE]


def look(pages):
    for page in pages:
        if block[page * PAGE:(page + 1) * PAGE] != content(page):
            print("BAD page", page, flush=True)
            raise SystemExit(1)


def clocks():
    """The monotonic one, which a restore sets back to the time of the dump; the machine's, which goes on meanwhile."""
    return time.monotonic(), time.time()


def tell(words):
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(words.encode(), witness)
    except OSError:
        pass  # The link may be cut.


for page in range(PAGES):
    block[page * PAGE:(page + 1) * PAGE] = content(page)
with open("/state", "w+") as state:
    state.write("0")
    state.flush()
    all_at = ALL_EVERY
    last = clocks()
    for number in itertools.count(1):
        if any(now - then > STOOD_STILL for now, then in zip(clocks(), last)):
            all_at = min(all_at, number + ALL_SOON)
        page = number * 7919 % PAGES
        look([page])
        if number >= all_at:
            look(range(PAGES))
            all_at = number + ALL_EVERY
        versions[page] += 1
        block[page * PAGE:(page + 1) * PAGE] = content(page)
        with open("/state") as again:
            if again.read() != str(number - 1):
                print("BAD file", flush=True)
                raise SystemExit(1)
        state.seek(0)
        state.write(str(number))
        state.flush()
        tell("%s %d" % (secret, number))
        print(secret, number, flush=True)
        last = clocks()
        time.sleep(0.02)

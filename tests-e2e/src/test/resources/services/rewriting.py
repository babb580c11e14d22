"""A service that rewrites its 24 MiB of memory page after page, at 5 MiB/s, so that each round of a pre-copy is smaller than
the one before when the link is faster. It knows what every page must hold, and says so in each line: `step N ok`, or
`step N BAD <pages>`."""
import hashlib
import mmap
import time

PAGE = 4096
PAGES = 6144
PER_STEP = 128
SECONDS_PER_STEP = 0.1
block = mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
versions = [0] * PAGES
# Does not compress: what a link's limit says is what travels.
noise = hashlib.shake_128(b"noise").digest(4 << 20)


def content(page):
    digest = hashlib.sha256(b"%d %d" % (page, versions[page])).digest()
    at = int.from_bytes(digest[:4], "big") % (len(noise) - PAGE)
    return digest + noise[at:at + PAGE - len(digest)]


def write(page):
    versions[page] += 1
    block[page * PAGE:(page + 1) * PAGE] = content(page)


for page in range(PAGES):
    write(page)
step = 0
due = time.monotonic()
while True:
    step += 1
    for page in range(step * PER_STEP, (step + 1) * PER_STEP):
        write(page % PAGES)
    bad = sum(block[page * PAGE:(page + 1) * PAGE] != content(page) for page in range(PAGES))
    print("step", step, f"BAD {bad}" if bad else "ok", flush=True)
    due = max(due + SECONDS_PER_STEP, time.monotonic())
    time.sleep(due - time.monotonic() if due > time.monotonic() else 0)

"""A service that keeps changing 64 MiB of memory: pages are rewritten, go back to an earlier content, are given back to the
kernel, and children come and go with copies of it all. It knows what every page must hold, and says so in each line:
`step N ok`, or `step N BAD <pages>`."""
import hashlib
import mmap
import os
import random
import time

PAGE = 4096
PAGES = 16384
block = mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
versions = [0] * PAGES
# Does not compress: what a link's limit says is what travels.
noise = hashlib.shake_128(b"noise").digest(8 << 20)


def content(page):
    if versions[page] == 0:
        return bytes(PAGE)
    digest = hashlib.sha256(b"%d %d" % (page, versions[page])).digest()
    at = int.from_bytes(digest[:4], "big") % (len(noise) - PAGE)
    return digest + noise[at:at + PAGE - len(digest)]


def write(page, version):
    versions[page] = version
    block[page * PAGE:(page + 1) * PAGE] = content(page)


def bad():
    return sum(block[page * PAGE:(page + 1) * PAGE] != content(page) for page in range(PAGES))


def child():
    for _ in range(200):
        write(random.randrange(PAGES), random.randrange(1, 9))
    time.sleep(0.3)
    os._exit(1 if bad() else 0)


for page in range(PAGES):
    write(page, 1)
failed_children = 0
step = 0
while True:
    step += 1
    for _ in range(100):
        write(random.randrange(PAGES), random.choice((1, 1 + step)))
    if step % 3 == 0:
        first = random.randrange(PAGES - 64)
        block.madvise(mmap.MADV_DONTNEED, first * PAGE, 64 * PAGE)
        versions[first:first + 64] = [0] * 64
    if step % 5 == 0 and os.fork() == 0:
        child()
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            failed_children += status != 0
    except ChildProcessError:
        pass
    pages = bad() + failed_children
    print("step", step, f"BAD {pages}" if pages else "ok", flush=True)
    time.sleep(0.05)

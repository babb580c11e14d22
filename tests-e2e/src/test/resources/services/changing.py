"""A service that keeps changing memory of every kind, in an order that SEED gives: 64 MiB of private pages are rewritten, go back to
an earlier content, are given back to the kernel; regions are mapped and unmapped; pages are shared; a file in memory grows and is
truncated; children come and go with copies of it all. It knows what every page must hold, and says so in each line:
`step N ok`, or `step N BAD <pages>`."""
import hashlib
import mmap
import os
import random
import time

random.seed(int(os.environ.get("SEED", "1")))
PAGE = 4096
PAGES = 16384
SHARED_PAGES = 1024
REGION_PAGES = 256
block = mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
versions = [0] * PAGES
shared = mmap.mmap(-1, SHARED_PAGES * PAGE, flags=mmap.MAP_SHARED | mmap.MAP_ANONYMOUS)
shared_versions = [0] * SHARED_PAGES
regions = {}
file = os.memfd_create("changing")
file_versions = []
# Does not compress: what a link's limit says is what travels.
noise = hashlib.shake_128(b"noise").digest(8 << 20)


def content(kind, page, version):
    if version == 0:
        return bytes(PAGE)
    digest = hashlib.sha256(b"%s %d %d" % (kind, page, version)).digest()
    at = int.from_bytes(digest[:4], "big") % (len(noise) - PAGE)
    return digest + noise[at:at + PAGE - len(digest)]


def write(page, version):
    versions[page] = version
    block[page * PAGE:(page + 1) * PAGE] = content(b"", page, version)


def share(page, version):
    shared_versions[page] = version
    shared[page * PAGE:(page + 1) * PAGE] = content(b"shared", page, version)


def map_or_unmap(step):
    if len(regions) > 8:
        regions.pop(random.choice(list(regions))).close()
    region = mmap.mmap(-1, REGION_PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    region[:] = b"".join(content(b"region", page, step) for page in range(REGION_PAGES))
    regions[step] = region


def grow_or_truncate(step):
    if len(file_versions) > 512:
        del file_versions[random.randrange(256):]
        os.ftruncate(file, len(file_versions) * PAGE)
    for _ in range(random.randrange(1, 64)):
        os.pwrite(file, content(b"file", len(file_versions), step), len(file_versions) * PAGE)
        file_versions.append(step)


def bad():
    wrong = sum(block[page * PAGE:(page + 1) * PAGE] != content(b"", page, versions[page]) for page in range(PAGES))
    wrong += sum(
        shared[page * PAGE:(page + 1) * PAGE] != content(b"shared", page, shared_versions[page]) for page in range(SHARED_PAGES))
    for step, region in regions.items():
        wrong += sum(
            region[page * PAGE:(page + 1) * PAGE] != content(b"region", page, step) for page in range(REGION_PAGES))
    wrong += os.fstat(file).st_size != len(file_versions) * PAGE
    wrong += sum(
        os.pread(file, PAGE, page * PAGE) != content(b"file", page, version) for page, version in enumerate(file_versions))
    return wrong


def child():
    for _ in range(200):
        write(random.randrange(PAGES), random.randrange(1, 9))
    own = sum(block[page * PAGE:(page + 1) * PAGE] != content(b"", page, versions[page]) for page in range(PAGES))
    time.sleep(0.3)
    os._exit(1 if own else 0)


for page in range(PAGES):
    write(page, 1)
for page in range(SHARED_PAGES):
    share(page, 1)
failed_children = 0
step = 0
while True:
    step += 1
    for _ in range(100):
        write(random.randrange(PAGES), random.choice((1, 1 + step)))
    for _ in range(10):
        share(random.randrange(SHARED_PAGES), random.choice((1, 1 + step)))
    map_or_unmap(step)
    grow_or_truncate(step)
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

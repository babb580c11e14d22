# Shared memory of every kind, changed by several processes all the time. Each page says by itself what it must be: a number, and
# what that number gives. Every second all of them are looked at, with the files on tmpfs, and the outcome is printed.
#
# usage: shared.py [MEBIBYTES of the large segment]
import ctypes, fcntl, hashlib, mmap, os, random, struct, sys, time

PAGE, MEBIBYTES = 4096, int(sys.argv[1]) if len(sys.argv) > 1 else 256
RATE = 8 << 20  # bytes per second
seed = os.urandom(16)
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]


def contents(segment, page, version):
    """Version 0 is a page of zeros; an even version comes back every 8 times."""
    if version == 0:
        return bytes(PAGE)
    of = struct.pack("<16sIII", seed, segment, page, version % 8 if version % 2 == 0 else version)
    return struct.pack("<QQ", version, page) + hashlib.shake_128(of).digest(4080)


class Segment:
    def __init__(self, number, memory, pages):
        self.number, self.memory, self.pages = number, memory, pages
        self.versions = mmap.mmap(-1, max(pages * 4, PAGE))

    def write(self, page):
        # What is written and the note of it are under one lock: an onlooker sees both or none.
        version = struct.unpack_from("<I", self.versions, page * 4)[0] + 1
        self.memory[page * PAGE : (page + 1) * PAGE] = contents(self.number, page, version)
        struct.pack_into("<I", self.versions, page * 4, version)


def memfd(name, size, flags=0):
    file = os.memfd_create(name, flags)
    os.ftruncate(file, size)
    return file


large = Segment(1, mmap.mmap(-1, MEBIBYTES << 20), MEBIBYTES << 8)
sparse = Segment(2, mmap.mmap(-1, 64 << 20), 64 << 8)
named_file = memfd("a name", 5 << 20)
named = Segment(3, mmap.mmap(named_file, 5 << 20), 5 << 8)
unmapped = memfd("unmapped", 100)
os.pwrite(unmapped, b"kept", 0)
sealed = memfd("sealed", PAGE, os.MFD_ALLOW_SEALING)
os.pwrite(sealed, b"sealed", 0)
fcntl.fcntl(sealed, 1033, 0x8)  # F_ADD_SEALS, F_SEAL_WRITE
# A private view of a shared segment: half of its pages are its own.
private = libc.mmap(None, 5 << 20, 3, mmap.MAP_PRIVATE, named_file, 0)
for own in range(0, 5 << 8, 2):
    ctypes.memmove(private + own * PAGE, contents(9, own, 7), PAGE)
for page in range(large.pages):
    large.write(page)
files = "/dev/shm", "/scratch"
for place in files:
    for name in range(8):
        with open(f"{place}/{name}", "wb") as file:
            file.write(contents(20, name, 1) * 512)
    os.makedirs(f"{place}/sub/deeper", 0o750, exist_ok=True)
    os.link(f"{place}/0", f"{place}/sub/again")
    os.symlink("../1", f"{place}/sub/link")
    os.mkfifo(f"{place}/fifo")
    os.chown(f"{place}/2", 33, 44)
    os.chmod(f"{place}/3", 0o4711)
    with open(f"{place}/holes", "wb") as file:
        file.truncate(32 << 20)
view_file = open("/dev/shm/mapped", "w+b")
view_file.truncate(4 << 20)
view = Segment(4, mmap.mmap(view_file.fileno(), 4 << 20), 4 << 8)
gone_file = open("/dev/shm/gone", "w+b")
gone_file.write(b"unlinked")
gone_file.flush()
os.unlink("/dev/shm/gone")

segments = [large, sparse, named, view]


def locked():
    fcntl.flock(own_lock, fcntl.LOCK_EX)


def writer(number):
    chance = random.Random(number)
    passing = None
    began, written = time.monotonic(), 0
    while True:
        locked()
        for _ in range(16):
            segment = segments[0] if chance.random() < 0.7 else chance.choice(segments)
            segment.write(chance.randrange(segment.pages))
        if chance.random() < 0.01:
            # Segments come and go, grow and shrink between rounds.
            size = chance.randrange(1, 400) * PAGE - chance.randrange(3)
            file = memfd("passing", size)
            passing = mmap.mmap(file, size)
            passing[0:4] = b"pass"
            os.close(file)
        if passing and passing[0:4] != b"pass":
            os._exit(3)
        with open(f"{files[number % 2]}/changing-{chance.randrange(4)}", "wb") as file:
            file.write(bytes([number]) * chance.randrange(9000))
        fcntl.flock(own_lock, fcntl.LOCK_UN)
        written += 16 * PAGE
        ahead = written / (RATE / 2) - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
        else:
            began, written = time.monotonic(), 0


def tree(place):
    """Whatever is wrong with the files that do not change."""
    wrong = []
    for name in range(8):
        if open(f"{place}/{name}", "rb").read() != contents(20, name, 1) * 512:
            wrong.append(f"{place}/{name}")
    owner = os.stat(f"{place}/2")
    facts = [
        os.stat(f"{place}/0").st_ino == os.stat(f"{place}/sub/again").st_ino,
        os.stat(f"{place}/0").st_nlink == 2,
        os.readlink(f"{place}/sub/link") == "../1",
        (owner.st_uid, owner.st_gid) == (33, 44),
        os.stat(f"{place}/3").st_mode == 0o104711,
        os.stat(f"{place}/fifo").st_mode & 0o170000 == 0o010000,
        os.stat(f"{place}/sub/deeper").st_mode & 0o777 == 0o750,
        os.stat(f"{place}/holes").st_size == 32 << 20 and os.stat(f"{place}/holes").st_blocks < 64,
    ]
    return wrong + [f"{place} fact {i}" for i, fact in enumerate(facts) if not fact]


for number in range(2):
    if os.fork() == 0:
        own_lock = open("/tmp/lock", "w")
        writer(number)
own_lock = open("/tmp/lock", "w")
looks = 0
while True:
    before = time.monotonic()
    wrong = []
    for segment in segments:
        for start in range(0, segment.pages, 4096):
            locked()
            end = min(segment.pages, start + 4096)
            for page in range(start, end):
                version = struct.unpack_from("<I", segment.versions, page * 4)[0]
                if segment.memory[page * PAGE : (page + 1) * PAGE] != contents(segment.number, page, version):
                    wrong.append(f"segment {segment.number} page {page}")
            fcntl.flock(own_lock, fcntl.LOCK_UN)
    for own in range(0, 5 << 8, 2):
        if ctypes.string_at(private + own * PAGE, PAGE) != contents(9, own, 7):
            wrong.append(f"private page {own}")
    for place in files:
        wrong += tree(place)
    if os.pread(unmapped, 200, 0) != b"kept".ljust(100, b"\0"):
        wrong.append("unmapped memfd")
    if os.pread(sealed, 6, 0) != b"sealed" or fcntl.fcntl(sealed, 1034) != 0x8:
        wrong.append("seals")
    if os.pread(gone_file.fileno(), 100, 0) != b"unlinked":
        wrong.append("unlinked file")
    looks += 1
    print(looks, "right" if not wrong else "WRONG " + "; ".join(wrong[:5]), f"{time.monotonic() - before:.1f} s", flush=True)
    time.sleep(0.3)

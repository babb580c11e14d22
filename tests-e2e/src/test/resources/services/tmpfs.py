# Files on tmpfs that are rewritten, made, cut, punched, linked, renamed and deleted all the time, one of them through a shared
# mapping. What they must hold is kept in private memory; every look compares all of it, and the outcome is printed.
#
# usage: tmpfs.py [MEBIBYTES of the mapped file]; tmpfs mounted at /dev/shm and /scratch
import ctypes, mmap, os, random, socket, stat, struct, sys, time

PAGE, MEBIBYTES = 4096, int(sys.argv[1]) if len(sys.argv) > 1 else 64
RATE = 8 << 20  # bytes per second, through the mapping
PLACES = "/dev/shm", "/scratch"
MOST = 1 << 20
seed = random.Random(os.urandom(8))
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]

# The page's content is a rotation of noise, so that it is quickly made and does not compress.
noise = os.urandom(1 << 20)
mapped_file = open("/dev/shm/mapped", "w+b")
mapped_file.truncate(MEBIBYTES << 20)
mapped = mmap.mmap(mapped_file.fileno(), MEBIBYTES << 20)
versions = [0] * (MEBIBYTES << 8)


def contents(page, version):
    at = (page * 7919 + version * 104729) % (len(noise) - PAGE)
    return struct.pack("<QQ", page, version) + noise[at : at + PAGE - 16]


def write(page):
    versions[page] += 1
    mapped[page * PAGE : (page + 1) * PAGE] = contents(page, versions[page])


# Name to file; several names may have one.
class File:
    def __init__(self, data, mode):
        self.data, self.mode = bytearray(data), mode


names = {}


def change():
    place = seed.choice(PLACES)
    path = f"{place}/{seed.choice(('', 'sub/'))}{seed.randrange(12)}"
    other = f"{place}/{seed.randrange(12)}"
    file = names.get(path)
    kind = seed.randrange(9)
    if file is None or kind == 0:
        # Made anew, in place of what was there.
        data = os.urandom(seed.randrange(200_000))
        if path in names:
            os.unlink(path)
        with open(path, "xb") as out:
            out.write(data)
        mode = seed.choice((0o600, 0o644, 0o4711))
        os.chmod(path, mode)
        names[path] = File(data, mode)
    elif kind == 1:
        os.unlink(path)
        del names[path]
    elif kind == 2:
        size = seed.randrange(MOST)
        os.truncate(path, size)
        del file.data[size:]
        file.data.extend(bytes(size - len(file.data)))
    elif kind == 3 and file.data:
        at, length = seed.randrange(len(file.data)), seed.randrange(1, 100_000)
        descriptor = os.open(path, os.O_RDWR)
        if libc.fallocate(descriptor, 3, at, length) != 0:
            raise OSError(ctypes.get_errno(), "fallocate")
        os.close(descriptor)
        end = min(len(file.data), at + length)
        file.data[at:end] = bytes(end - at)
    elif kind == 4 and other != path:
        if other in names:
            os.unlink(other)
        os.link(path, other)
        names[other] = file
    elif kind == 5 and names.get(other) is not file:
        os.rename(path, other)
        names[other] = names.pop(path)
    else:
        # Rewritten in place, beyond its end too; the mode stays but for set-id bits.
        at, data = seed.randrange(len(file.data) + 1000), os.urandom(seed.randrange(1, 30_000))
        descriptor = os.open(path, os.O_RDWR)
        os.pwrite(descriptor, data, at)
        os.close(descriptor)
        file.data.extend(bytes(max(0, at + len(data) - len(file.data))))
        file.data[at : at + len(data)] = data


def look():
    wrong = []
    for page, version in enumerate(versions):
        if mapped[page * PAGE : (page + 1) * PAGE] != contents(page, version):
            wrong.append(f"page {page}")
    with open("/dev/shm/mapped", "rb") as again:
        if os.fstat(again.fileno()).st_ino != os.fstat(mapped_file.fileno()).st_ino:
            wrong.append("the mapped file is another one")
    for place in PLACES:
        found = {f"{place}/{n}" for n in os.listdir(place)} | {f"{place}/sub/{n}" for n in os.listdir(f"{place}/sub")}
        expected = {n for n in names if n.startswith(place + "/")} | extra[place]
        wrong += [f"name {n}" for n in found ^ expected]
    for path, file in names.items():
        status = os.stat(path)
        if open(path, "rb").read() != file.data:
            wrong.append(path)
        if status.st_nlink != sum(other is file for other in names.values()):
            wrong.append(f"{path} has {status.st_nlink} names")
        if stat.S_IMODE(status.st_mode) != file.mode:
            wrong.append(f"{path} has mode {status.st_mode:o}")
    if os.pread(gone.fileno(), 100_000, 0) != noise[:50_000] or gone_view[:] != noise[:50_000]:
        wrong.append("unlinked file")
    client = socket.socket(socket.AF_UNIX)
    client.connect("/scratch/socket")
    server.accept()[0].close()
    client.close()
    facts = [
        os.readlink("/scratch/link") == "../nowhere",
        stat.S_ISFIFO(os.stat("/scratch/fifo").st_mode),
        (os.stat("/scratch/owned").st_uid, os.stat("/scratch/owned").st_gid) == (33, 44),
        os.getxattr("/scratch/owned", "trusted.note") == b"kept",
        os.stat("/scratch/owned").st_mtime_ns == 1_234_567_890_123_456_789,
        stat.S_IMODE(os.stat("/scratch/sub").st_mode) == 0o1750,
        os.stat("/scratch/holes").st_size == 1 << 30 and os.stat("/scratch/holes").st_blocks <= 8,
        os.statvfs("/scratch").f_blocks * os.statvfs("/scratch").f_frsize == 200 << 20,
        os.statvfs("/scratch").f_flag & os.ST_NOEXEC != 0,
    ]
    return wrong + [f"fact {i}" for i, fact in enumerate(facts) if not fact]


for place in PLACES:
    os.mkdir(f"{place}/sub")
os.chmod("/scratch/sub", 0o1750)
os.symlink("../nowhere", "/scratch/link")
os.mkfifo("/scratch/fifo")
with open("/scratch/owned", "w"):
    pass
os.chown("/scratch/owned", 33, 44)
try:
    os.setxattr("/scratch/owned", "trusted.note", b"kept")
except OSError:
    os.getxattr = lambda path, name: b"kept"  # not for a container without SYS_ADMIN
os.utime("/scratch/owned", ns=(0, 1_234_567_890_123_456_789))
with open("/scratch/holes", "wb") as holes:
    holes.truncate(1 << 30)
    holes.seek(500 << 20)
    holes.write(b"in the middle")
server = socket.socket(socket.AF_UNIX)
server.bind("/scratch/socket")
server.listen()
extra = {
    "/dev/shm": {"/dev/shm/sub", "/dev/shm/mapped"},
    "/scratch": {f"/scratch/{n}" for n in ("sub", "link", "fifo", "owned", "holes", "socket")},
}
gone = open("/scratch/gone", "w+b")
gone.write(noise[:50_000])
gone.flush()
gone_view = mmap.mmap(gone.fileno(), 50_000)
os.unlink("/scratch/gone")
for page in range(len(versions)):
    write(page)

looks, began, written = 0, time.monotonic(), 0
while True:
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        for _ in range(32):
            write(seed.randrange(len(versions)))
        change()
        written += 32 * PAGE
        ahead = written / RATE - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
        else:
            began, written = time.monotonic(), 0
    wrong = look()
    looks += 1
    print(looks, "right" if not wrong else "WRONG " + "; ".join(wrong[:5]), flush=True)

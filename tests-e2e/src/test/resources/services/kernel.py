# Keeps state that lives in the kernel only: shared memory without a name and of System V, timers, blocked signals, file locks.
# Prints what it sees of it; once /tmp/release exists it takes the signals and drops the locks.
import ctypes, fcntl, json, mmap, os, signal, struct, threading, time

IPC_CREAT, CLOCK_MONOTONIC, SIGEV_SIGNAL = 0o1000, 1, 0
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
libc.prctl(15, b"sp\xe4t")  # PR_SET_NAME: any bytes will do
state = {"secret": os.urandom(8).hex(), "alarms": 0, "ticks": 0, "taken": []}


def on(number, name):
    def count(*_):
        state[name] += 1

    signal.signal(number, count)


def timer(number, first, interval):
    """A POSIX timer (timer_create(2)); seconds."""
    event = struct.pack("<Qii48x", 0, number, SIGEV_SIGNAL)
    made = ctypes.c_void_p()
    assert libc.timer_create(CLOCK_MONOTONIC, event, ctypes.byref(made)) == 0
    split = [part for t in (interval, first) for part in (int(t), int(t % 1 * 1e9))]
    assert libc.timer_settime(made, 0, struct.pack("<4q", *split), None) == 0
    return made


def left(made):
    """Seconds until it expires."""
    value = ctypes.create_string_buffer(32)
    assert libc.timer_gettime(made, value) == 0
    seconds, nanoseconds = struct.unpack_from("<qq", value.raw, 16)
    return seconds + nanoseconds / 1e9


def take():
    """The next blocked signal and the value it was queued with; nothing when there is none."""
    info = ctypes.create_string_buffer(128)
    blocked = struct.pack("<Q", sum(1 << number - 1 for number in queued)).ljust(128, b"\0")
    number = libc.sigtimedwait(blocked, info, struct.pack("<qq", 0, 0))
    return [number, struct.unpack_from("<i", info.raw, 24)[0]] if number > 0 else None


flocked = open("/tmp/flock", "w")
fcntl.flock(flocked, fcntl.LOCK_EX)
anonymous = mmap.mmap(-1, 4096)
address = libc.shmat(libc.shmget(0x5E2E, 4096, IPC_CREAT | 0o600), None, 0)
segment = ctypes.c_uint64.from_address(address)
if os.fork() == 0:
    while True:
        segment.value += 1
        struct.pack_into("<Q", anonymous, 0, segment.value)
        time.sleep(0.005)

zombie = os.fork()
if zombie == 0:
    os._exit(0)

ranged = open("/tmp/fcntl", "w")
fcntl.lockf(ranged, fcntl.LOCK_EX, 100, 50)
on(signal.SIGALRM, "alarms")
on(signal.SIGUSR2, "ticks")
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
timer(signal.SIGUSR2, 0.02, 0.02)
late = timer(signal.SIGUSR2, 1000, 0)
queued = [signal.SIGUSR1, signal.SIGRTMIN + 5, signal.SIGRTMIN + 6]
signal.pthread_sigmask(signal.SIG_BLOCK, queued)
os.kill(os.getpid(), signal.SIGUSR1)
for value in 7, 8:
    libc.sigqueue(os.getpid(), signal.SIGRTMIN + 5, ctypes.c_void_p(value))
signal.pthread_kill(threading.get_ident(), signal.SIGRTMIN + 6)

while True:
    if os.path.exists("/tmp/release") and not state["taken"]:
        while taken := take():
            state["taken"].append(taken)
        fcntl.flock(flocked, fcntl.LOCK_UN)
        fcntl.lockf(ranged, fcntl.LOCK_UN, 100, 50)
    state["anonymous"] = struct.unpack_from("<Q", anonymous)[0]
    state["segment"] = segment.value
    state["zombie"] = open("/proc/%d/stat" % zombie, "rb").read().split()[2].decode()
    state["left"] = left(late)
    state["pending"] = sorted(signal.sigpending())
    print(json.dumps(state), flush=True)
    time.sleep(0.05)

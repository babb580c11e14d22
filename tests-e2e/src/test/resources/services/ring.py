# Eight processes hand a number around through pipes, note it in shared memory, and keep unlinked files open.
import os, struct, time

N = 8
memory = os.open("/dev/shm/ring", os.O_RDWR | os.O_CREAT)
os.ftruncate(memory, 4096 * N)
os.unlink("/dev/shm/ring")
pipes = [os.pipe() for _ in range(N)]
for i in range(N):
    if os.fork() == 0:
        while True:
            (value,) = struct.unpack("<Q", os.read(pipes[i][0], 8))
            os.pwrite(memory, struct.pack("<Q", value), i * 4096)
            time.sleep(0.002)
            os.write(pipes[(i + 1) % N][1], struct.pack("<Q", value + 1))
os.write(pipes[0][1], struct.pack("<Q", 1))
held = open("/tmp/held", "w+")
held.write("unlinked")
held.flush()
os.unlink("/tmp/held")
linked = open("/tmp/one", "w+")
linked.write("two-names")
linked.flush()
os.link("/tmp/one", "/tmp/two")
os.unlink("/tmp/one")
while True:
    held.seek(0)
    linked.seek(0)
    numbers = [struct.unpack("<Q", os.pread(memory, 8, i * 4096))[0] for i in range(N)]
    print(held.read(), linked.read(), *numbers, flush=True)
    time.sleep(0.05)

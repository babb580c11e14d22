package io.pagurus.engine.docker;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.pagurus.dind.files.FileTree;
import io.pagurus.engine.Departure.Tmpfs;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class TmpfsMountsTest {
  private static final Path ROOT = Path.of("/proc/7/root");

  private static List<Tmpfs> among(String... lines) {
    return TmpfsMounts.among(
        List.of(lines), List.of("30 1 0:40 / /run rw - tmpfs tmpfs rw,mode=755"), ROOT);
  }

  @Test
  void aWritableTmpfsOfItsOwnIsFound() {
    assertEquals(
        List.of(
            new Tmpfs("0:130", FileTree.mounted(ROOT.resolve("dev/shm"), 130)),
            // makedev(0, 300)
            new Tmpfs("0:300", FileTree.mounted(ROOT.resolve("scratch"), 0x10002c))),
        among(
            "420 400 0:90 / / rw,relatime - overlay overlay rw,lowerdir=x",
            "457 447 0:130 / /dev/shm rw,nosuid,nodev - tmpfs shm rw,size=65536k",
            "507 420 0:300 / /scratch rw,noexec shared:5 - tmpfs tmpfs rw"));
  }

  @Test
  void whatIsLeftToCriuIsNot() {
    assertEquals(
        List.of(),
        among(
            "440 420 0:79 /null /proc/keys rw,nosuid - tmpfs tmpfs rw",
            "438 420 0:139 / /proc/acpi ro,relatime - tmpfs tmpfs ro",
            "447 420 0:142 / /dev rw,nosuid - tmpfs tmpfs rw,mode=755",
            "448 447 0:143 / /dev/pts rw,nosuid - devpts devpts rw",
            "450 420 0:40 / /outer rw - tmpfs tmpfs rw",
            "451 420 0:144 / /a\\040blank rw - tmpfs tmpfs rw",
            "452 420 0:145 / /below rw - tmpfs tmpfs rw",
            "453 452 8:1 / /below rw - ext4 /dev/sda1 rw"));
  }

  @Test
  void oneThatIsMountedTwiceIsFoundOnce() {
    assertEquals(
        List.of(new Tmpfs("0:50", FileTree.mounted(ROOT.resolve("a"), 50))),
        among("1 9 0:50 / /a rw - tmpfs tmpfs rw", "2 9 0:50 / /b rw - tmpfs tmpfs rw"));
  }
}

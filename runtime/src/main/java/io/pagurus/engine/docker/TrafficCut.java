package io.pagurus.engine.docker;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Cuts a container off from its networks, and back.
 *
 * <p>The kernel of a frozen service still acknowledges what its clients send; whatever it accepts
 * after the dump would be lost. CRIU's own lock ends with the dump and costs two spawned processes.
 * So the outer end of each veth pair goes down: one write of {@code /sys/class/net/NAME/flags} (0.5
 * ms), no firewall rule that a crash could leave behind. Addresses and routes inside stay.
 */
final class TrafficCut {
  private static final Path NET = Path.of("/sys/class/net");
  private static final int IFF_UP = 1;

  private final List<Path> flags;

  private TrafficCut(List<Path> flags) {
    this.flags = List.copyOf(flags);
  }

  /** Finds the outer ends of the veth pairs of the container with this first process. */
  static TrafficCut of(long pid) throws IOException {
    List<String> peers = new ArrayList<>();
    Path inside = Path.of("/proc/%d/root/sys/class/net".formatted(pid));
    try (DirectoryStream<Path> links = Files.newDirectoryStream(inside)) {
      for (Path link : links) {
        String own = Files.readString(link.resolve("ifindex")).strip();
        String peer = Files.readString(link.resolve("iflink")).strip();
        if (!own.equals(peer)) {
          peers.add(peer);
        }
      }
    }
    List<Path> flags = new ArrayList<>();
    try (DirectoryStream<Path> links = Files.newDirectoryStream(NET)) {
      for (Path link : links) {
        if (peers.contains(Files.readString(link.resolve("ifindex")).strip())) {
          flags.add(link.resolve("flags"));
        }
      }
    }
    return new TrafficCut(flags);
  }

  void cut() throws IOException {
    for (Path file : flags) {
      write(file, read(file) & ~IFF_UP);
    }
  }

  /** What has gone with its container needs no mending. */
  void mend() throws IOException {
    for (Path file : flags) {
      if (Files.exists(file)) {
        write(file, read(file) | IFF_UP);
      }
    }
  }

  private static int read(Path file) throws IOException {
    return Integer.decode(Files.readString(file).strip());
  }

  private static void write(Path file, int value) throws IOException {
    Files.writeString(file, "0x%x\n".formatted(value));
  }
}

package io.pagurus.dind;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * One line of {@code /proc/PID/mountinfo}, proc_pid_mountinfo(5).
 *
 * @param device {@code major:minor}
 * @param point where it is mounted, with escapes such as {@code \\040}
 */
public record Mount(
    String id,
    String parent,
    String device,
    String root,
    String point,
    String options,
    String type) {
  private static final Duration LIMIT = Duration.ofSeconds(10);

  public static Mount parse(String line) {
    String[] fields = line.split(" ", -1);
    String type = line.substring(line.indexOf(" - ") + 3).split(" ", -1)[0];
    return new Mount(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], type);
  }

  public boolean isWritableTmpfs() {
    return type.equals("tmpfs")
        && root.equals("/")
        && (options + ",").startsWith("rw,")
        // An escaped character; proc(5).
        && point.indexOf('\\') < 0;
  }

  /** makedev(3), as st_dev has it. */
  public long number() {
    int colon = device.indexOf(':');
    long major = Long.parseLong(device, 0, colon, 10);
    long minor = Long.parseLong(device, colon + 1, device.length(), 10);
    return (minor & 0xff) | major << 8 | (minor & ~0xffL) << 12;
  }

  /**
   * Takes what is mounted there, and below, out of sight; whoever uses it goes on.
   *
   * @throws IOException with umount's words
   */
  public static void detach(Path point) throws IOException {
    Tool.run(LIMIT, List.of("umount", "--lazy", point.toString()));
  }
}

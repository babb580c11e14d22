package io.pagurus.policy;

import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/** Sets of capabilities as bits, {@code linux/capability.h}. */
public final class Capabilities {
  /** By number. */
  private static final List<String> NAMES =
      List.of(
          "CHOWN",
          "DAC_OVERRIDE",
          "DAC_READ_SEARCH",
          "FOWNER",
          "FSETID",
          "KILL",
          "SETGID",
          "SETUID",
          "SETPCAP",
          "LINUX_IMMUTABLE",
          "NET_BIND_SERVICE",
          "NET_BROADCAST",
          "NET_ADMIN",
          "NET_RAW",
          "IPC_LOCK",
          "IPC_OWNER",
          "SYS_MODULE",
          "SYS_RAWIO",
          "SYS_CHROOT",
          "SYS_PTRACE",
          "SYS_PACCT",
          "SYS_ADMIN",
          "SYS_BOOT",
          "SYS_NICE",
          "SYS_RESOURCE",
          "SYS_TIME",
          "SYS_TTY_CONFIG",
          "MKNOD",
          "LEASE",
          "AUDIT_WRITE",
          "AUDIT_CONTROL",
          "SETFCAP",
          "MAC_OVERRIDE",
          "MAC_ADMIN",
          "SYSLOG",
          "WAKE_ALARM",
          "BLOCK_SUSPEND",
          "AUDIT_READ",
          "PERFMON",
          "BPF",
          "CHECKPOINT_RESTORE");

  static final long ALL = -1;

  private Capabilities() {}

  /** The set of those with these names, without the prefix CAP_; names of none are left out. */
  public static long of(Set<String> names) {
    long bits = 0;
    for (int number = 0; number < NAMES.size(); number++) {
      if (names.contains(NAMES.get(number))) {
        bits |= 1L << number;
      }
    }
    return bits;
  }

  /** For people. */
  public static List<String> names(long bits) {
    return IntStream.range(0, Long.SIZE)
        .filter(number -> (bits >>> number & 1) != 0)
        .mapToObj(number -> number < NAMES.size() ? NAMES.get(number) : "number " + number)
        .toList();
  }
}

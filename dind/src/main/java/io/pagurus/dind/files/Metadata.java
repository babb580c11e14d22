package io.pagurus.dind.files;

import java.util.Optional;
import java.util.SortedMap;

/**
 * What an entry has beside its content.
 *
 * @param mode st_mode with its format bits
 * @param attributes extended attributes that travel, by name
 */
record Metadata(
    int mode,
    int uid,
    int gid,
    Time accessed,
    Time modified,
    SortedMap<String, byte[]> attributes) {

  /**
   * A point of time as the kernel keeps it.
   *
   * @param seconds since the epoch; negative before it
   */
  record Time(long seconds, int nanos) {
    long totalNanos() {
      return seconds * 1_000_000_000L + nanos;
    }
  }

  private static final int SETUID_SETGID = 06000;

  static final String CAPABILITY = "security.capability";

  int permissions() {
    return mode & 07777;
  }

  /** Running such a file gives more rights than the caller has. */
  boolean privileged() {
    return FileType.of(mode).equals(Optional.of(FileType.REGULAR))
        && ((mode & SETUID_SETGID) != 0 || attributes.containsKey(CAPABILITY));
  }

  /**
   * Whether an attribute belongs to the file rather than to the machine: overlayfs's own
   * bookkeeping and the labels and signatures of security modules (xattr(7)) mean nothing
   * elsewhere.
   */
  static boolean travels(String attribute) {
    int dot = attribute.indexOf('.');
    String rest = attribute.substring(dot + 1);
    return switch (attribute.substring(0, Math.max(0, dot))) {
      case "user" -> !rest.isEmpty();
      case "trusted" -> !rest.isEmpty() && !rest.startsWith("overlay.");
      case "system" -> rest.equals("posix_acl_access") || rest.equals("posix_acl_default");
      case "security" ->
          switch (rest) {
            case "", "selinux", "apparmor", "ima", "evm" -> false;
            default -> !rest.startsWith("SMACK64");
          };
      default -> false;
    };
  }
}

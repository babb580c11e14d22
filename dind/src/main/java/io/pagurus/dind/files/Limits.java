package io.pagurus.dind.files;

/**
 * What a receiver accepts in one stream.
 *
 * @param bytes contents of regular files
 * @param entries records and names
 * @param devices whether character and block devices may be created
 * @param privileged whether files may be setuid, setgid or have capabilities
 */
public record Limits(long bytes, long entries, boolean devices, boolean privileged) {
  public Limits {
    if (bytes < 0 || entries < 0) {
      throw new IllegalArgumentException("bytes and entries must not be negative");
    }
  }

  /** For directories of plain data: no device, nothing privileged. */
  public static Limits data(long bytes, long entries) {
    return new Limits(bytes, entries, false, false);
  }

  /** For what a container's root may hold. */
  public static Limits rootfs(long bytes, long entries) {
    return new Limits(bytes, entries, true, true);
  }
}

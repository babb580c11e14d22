package io.pagurus.dind.files;

import static java.util.Objects.requireNonNull;

import java.util.Optional;
import java.util.function.Function;

/**
 * What a receiver accepts in one stream.
 *
 * @param bytes contents of regular files
 * @param entries records and names
 * @param privileged whether files may be setuid, setgid or have capabilities
 * @param flat what to do with a file of this name, where nothing may come but regular files without
 *     a second name, directly in the directory; empty: a tree of anything
 */
public record Limits(
    long bytes,
    long entries,
    Devices devices,
    boolean privileged,
    Optional<Function<String, Admission>> flat) {

  /** What happens to a file that comes into a flat directory. */
  public enum Admission {
    TAKE,
    /**
     * It comes and is thrown away: what is there under this name stays, whatever the stream says.
     */
    IGNORE,
    REFUSE
  }

  /** Which character and block devices may be created. */
  public enum Devices {
    NONE,
    /** Those that the engine gives to every container, and the whiteouts of an overlay. */
    COMMON,
    ALL;

    boolean allow(FileType type, long device) {
      return switch (this) {
        case NONE -> false;
        case COMMON -> type == FileType.CHARACTER_DEVICE && isCommon(device);
        case ALL -> true;
      };
    }

    /** Docker's oci/devices and runc's AllowedDevices, as st_rdev: major << 8 | minor. */
    private static boolean isCommon(long device) {
      return switch (Math.clamp(device, 0, Integer.MAX_VALUE)) {
        case 0x000 -> true; // whiteout
        case 0x103, 0x105, 0x107, 0x108, 0x109 -> true; // null, zero, full, random, urandom
        case 0x500, 0x501, 0x502 -> true; // tty, console, ptmx
        default -> false;
      };
    }
  }

  public Limits {
    requireNonNull(flat, "flat is null");
    if (bytes < 0 || entries < 0) {
      throw new IllegalArgumentException("bytes and entries must not be negative");
    }
  }

  public Limits(long bytes, long entries, Devices devices, boolean privileged) {
    this(bytes, entries, devices, privileged, Optional.empty());
  }

  /**
   * For a directory of regular files whose names are known: programs will open them by name, and
   * must meet neither a link that leads elsewhere nor a FIFO that never answers.
   */
  public static Limits flat(long bytes, long entries, Function<String, Admission> names) {
    return new Limits(bytes, entries, Devices.NONE, false, Optional.of(names));
  }

  Admission admission(String name) {
    return flat.map(names -> names.apply(name)).orElse(Admission.TAKE);
  }

  /** For directories of plain data: no device, nothing privileged. */
  public static Limits data(long bytes, long entries) {
    return new Limits(bytes, entries, Devices.NONE, false);
  }

  /** For whatever a container's root may hold. */
  public static Limits rootfs(long bytes, long entries) {
    return new Limits(bytes, entries, Devices.ALL, true);
  }
}

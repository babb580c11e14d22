package io.pagurus.criu;

/**
 * A kind of image file and the magic numbers it starts with; source: CRIU's {@code
 * criu/include/magic.h} and {@code img_check_magic()} in {@code criu/image.c}.
 *
 * <p>Since image version 1.1 every file starts with a head magic, then its own; the inventory,
 * which tells the version, has its own alone.
 */
public enum ImageType {
  INVENTORY(Head.NONE, 0x58313116),
  PSTREE(Head.COMMON, 0x50273030),
  PAGEMAP(Head.COMMON, 0x56084025),
  CORE(Head.COMMON, 0x55053847),
  CGROUP(Head.COMMON, 0x59383330),
  MM(Head.COMMON, 0x57492820),
  SECCOMP(Head.COMMON, 0x64413049),
  STATS(Head.SERVICE, 0x57093306);

  private static final int COMMON_MAGIC = 0x54564319;
  private static final int SERVICE_MAGIC = 0x55105940;

  private enum Head {
    NONE,
    COMMON,
    SERVICE
  }

  private final Head head;
  private final int magic;

  ImageType(Head head, int magic) {
    this.head = head;
    this.magic = magic;
  }

  /** The words a file of this type starts with, in order. */
  int[] magics() {
    return switch (head) {
      case NONE -> new int[] {magic};
      case COMMON -> new int[] {COMMON_MAGIC, magic};
      case SERVICE -> new int[] {SERVICE_MAGIC, magic};
    };
  }
}

package io.pagurus.dind.files;

/** Numbers of the stream's format; the package description has the layout. */
final class Wire {
  static final int MAGIC = 0x50475254;
  static final int VERSION = 1;

  static final int DIRECTORY = 1;
  static final int FILE = 2;
  static final int SYMLINK = 3;
  static final int NODE = 4;
  static final int LINK = 5;
  static final int REMOVE = 6;
  static final int END = 7;
  static final int PATCH = 8;

  /** Bytes of an extent that a receiver must be ready for, and of a block. */
  static final int BLOCK_BYTES = 262144;

  /** Levels of directories: what recursion on a virtual thread's stack takes many times over. */
  static final int DEPTH = 512;

  /** NAME_MAX, limits.h. */
  static final int NAME_BYTES = 255;

  /** As many names as fit into XATTR_LIST_MAX, each at least "user.a" and its end. */
  static final int ATTRIBUTES = 65536 / 7;

  /** All values of one entry; ext4 stores at most a block of them, xfs and tmpfs more. */
  static final int ATTRIBUTES_BYTES = 4 << 20;

  private Wire() {}
}

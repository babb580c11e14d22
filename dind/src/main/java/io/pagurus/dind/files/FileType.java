package io.pagurus.dind.files;

import java.util.Optional;

/** What an entry of a tree is; the format bits of {@code st_mode}, inode(7). */
public enum FileType {
  REGULAR(0100000),
  DIRECTORY(0040000),
  SYMLINK(0120000),
  FIFO(0010000),
  SOCKET(0140000),
  CHARACTER_DEVICE(0020000),
  BLOCK_DEVICE(0060000);

  private static final int FORMAT_MASK = 0170000;

  private final int format;

  FileType(int format) {
    this.format = format;
  }

  static Optional<FileType> of(int mode) {
    for (FileType type : values()) {
      if (type.format == (mode & FORMAT_MASK)) {
        return Optional.of(type);
      }
    }
    return Optional.empty();
  }

  boolean device() {
    return this == CHARACTER_DEVICE || this == BLOCK_DEVICE;
  }
}

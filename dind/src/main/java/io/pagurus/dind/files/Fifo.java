package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;

import java.nio.file.Path;

/** A named pipe, which java.nio.file cannot make. */
public final class Fifo {
  private static final int S_IFIFO = 0010000;
  private static final int OWNER_ONLY = 0600;

  private Fifo() {}

  /**
   * Makes a FIFO that only its owner may open.
   *
   * @param path absolute, in a directory that exists
   * @throws FileTreeException when the path is taken or the directory cannot be written to
   */
  public static void make(Path path) {
    String directory = path.getParent().toString();
    try (Posix posix = new Posix()) {
      int fd = (int) check(posix.openRoot(directory), "open", directory);
      try {
        String name = path.getFileName().toString();
        check(posix.makeNode(fd, name, S_IFIFO | OWNER_ONLY, 0), "make the FIFO", path.toString());
      } finally {
        posix.close(fd);
      }
    }
  }
}

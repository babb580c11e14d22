package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;
import static io.pagurus.dind.files.RecordReader.malformed;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Applies a stream of {@link TreeSender} to a directory. Whatever the stream says, nothing outside
 * that directory is touched.
 *
 * <p>An entry other than a directory is made under a temporary name, gets its owner, attributes,
 * mode and times (in this order: a change of owner takes setuid and capabilities away), and
 * replaces what is there by one rename.
 */
public final class TreeReceiver {
  private final Posix posix;
  private final RecordReader in;
  private final Limits limits;
  private final TargetDirectories target;
  private final TargetDirectories linked;
  private final String temporary =
      ".pagurus-%016x".formatted(ThreadLocalRandom.current().nextLong());
  private long entries;
  private long files;
  private long bytes;
  private long deleted;

  private TreeReceiver(
      Posix posix,
      RecordReader in,
      Limits limits,
      TargetDirectories target,
      TargetDirectories linked) {
    this.posix = posix;
    this.in = in;
    this.limits = limits;
    this.target = target;
    this.linked = linked;
  }

  /**
   * Applies one pass, and takes exactly its bytes from the stream.
   *
   * @param target an existing directory; for an overlay's upper directory, the merged directory of
   *     a mounted overlay with the same lower layers, so that what the kernel has cached stays
   *     true. After a failure its content is undefined.
   * @throws IOException when the stream cannot be read or ends early
   * @throws FileTreeException when the stream is malformed, goes beyond the limits or cannot be
   *     applied, or the thread is interrupted
   */
  public static TreeStats receive(InputStream in, Path target, Limits limits) throws IOException {
    String root = target.toString();
    try (Posix posix = new Posix();
        TargetDirectories linked = new TargetDirectories(posix, root);
        TargetDirectories directories = new TargetDirectories(posix, root)) {
      RecordReader reader = new RecordReader(in);
      return new TreeReceiver(posix, reader, limits, directories, linked).run();
    }
  }

  /**
   * Writes a received tree's file system to its disk. What the service had made durable must be
   * durable again before the source gives up its copy; this may take long, so do it after the
   * restore.
   *
   * @throws FileTreeException when the disk fails
   */
  public static void persist(Path target) {
    try (Posix posix = new Posix()) {
      int fd = (int) check(posix.openRoot(target.toString()), "open", target.toString());
      try {
        check(posix.syncFileSystem(fd), "write to disk", target.toString());
      } finally {
        posix.close(fd);
      }
    }
  }

  private TreeStats run() throws IOException {
    while (true) {
      int type = in.u8();
      if (type == Wire.END) {
        end();
        return new TreeStats(files, bytes, deleted, 0);
      }
      String path = in.path(type == Wire.DIRECTORY);
      Interruption.check("apply", path);
      countEntry(path);
      if (limits.flat().isPresent()) {
        requireFlat(type, path);
      }
      switch (type) {
        case Wire.DIRECTORY -> directory(path);
        case Wire.FILE -> file(path);
        case Wire.SYMLINK -> symlink(path);
        case Wire.NODE -> node(path);
        case Wire.LINK -> link(path);
        case Wire.REMOVE -> remove(path);
        case Wire.PATCH -> patch(path);
        default -> throw malformed(path, "the record type %d is unknown".formatted(type));
      }
    }
  }

  /** The root, and new files in it under names that are expected. */
  private void requireFlat(int type, String path) {
    boolean fits =
        switch (type) {
          case Wire.DIRECTORY -> path.isEmpty();
          case Wire.FILE ->
              path.equals(Names.last(path)) && limits.admission(path) != Limits.Admission.REFUSE;
          default -> false;
        };
    if (!fits) {
      throw FileTreeException.forbidden(
          path, "only regular files with known names may come, directly in the directory");
    }
  }

  private void end() throws IOException {
    long sentFiles = in.u64();
    long sentBytes = in.u64();
    if (sentFiles != files || sentBytes != bytes) {
      throw malformed(
          "",
          "%d files of %d bytes were announced and %d of %d received"
              .formatted(sentFiles, sentBytes, files, bytes));
    }
    in.finish();
  }

  private void countEntry(String path) {
    if (++entries > limits.entries()) {
      throw FileTreeException.beyondLimits(
          path, "more than %d entries are not allowed".formatted(limits.entries()));
    }
  }

  private void directory(String path) throws IOException {
    Metadata metadata = metadata(path, Wire.DIRECTORY);
    int fd = target.enter(path);
    if (fd < 0) {
      int parent = parentOf(path);
      String name = Names.last(path);
      removeAny(parent, name, path);
      check(posix.makeDirectory(parent, name), "make the directory", path);
      fd = target.enter(path);
      check(fd, "open", path);
    }
    if (flag(path)) {
      keepOnly(fd, path);
    }
    own(fd, ".", path, metadata);
    target.setTimes(metadata.accessed(), metadata.modified());
  }

  private boolean flag(String path) throws IOException {
    int flag = in.u8();
    if (flag > 1) {
      throw malformed(path, "the flag %d is unknown".formatted(flag));
    }
    return flag == 1;
  }

  private void keepOnly(int fd, String path) throws IOException {
    Set<String> names = new HashSet<>();
    for (String name = in.name(path); !name.isEmpty(); name = in.name(path)) {
      countEntry(path);
      names.add(name);
    }
    for (String name : posix.names(fd, path)) {
      if (!names.contains(name) && limits.admission(name) != Limits.Admission.IGNORE) {
        removeCounted(fd, name, Names.join(path, name));
      }
    }
  }

  private void file(String path) throws IOException {
    Metadata metadata = metadata(path, Wire.FILE);
    int parent = parentOf(path);
    int fd = posix.createFile(parent, temporary);
    check(fd, "create", path);
    orDiscard(
        parent,
        () -> {
          try {
            long end = extents(fd, path);
            long size = size(path);
            if (size != end) {
              check(posix.truncate(fd, size), "set the size of", path);
            }
          } finally {
            posix.close(fd);
          }
          if (limits.admission(path) == Limits.Admission.IGNORE) {
            posix.unlink(parent, temporary, 0);
            files++;
          } else {
            finishLeaf(parent, path, metadata);
          }
        });
  }

  /**
   * Changes a file in place, under a name that nobody else knows: whatever a second stream does to
   * this one, nothing else is changed.
   */
  private void patch(String path) throws IOException {
    Metadata metadata = metadata(path, Wire.FILE);
    int parent = parentOf(path);
    if (posix.link(parent, Names.last(path), parent, temporary) < 0) {
      throw malformed(path, "what is to be changed is missing");
    }
    orDiscard(
        parent,
        () -> {
          int fd = posix.openForUpdate(parent, temporary);
          check(fd, "open", path);
          try {
            check(posix.stat(fd, ""), "stat", path);
            if (posix.status().type(path) != FileType.REGULAR) {
              throw malformed(path, "what is to be changed is no file");
            }
            extents(fd, path);
            holes(fd, path);
            check(posix.truncate(fd, size(path)), "set the size of", path);
          } finally {
            posix.close(fd);
          }
          finishLeaf(parent, path, metadata);
          // Renaming one name of a file to another of the same file does nothing, rename(2).
          posix.unlink(parent, temporary, 0);
        });
  }

  private void holes(int fd, String path) throws IOException {
    for (long length = in.u64(); length != 0; length = in.u64()) {
      Interruption.check("apply", path);
      long offset = in.u64();
      if (length < 0 || offset < 0 || offset > Long.MAX_VALUE - length) {
        throw malformed(path, "a hole of %d bytes at offset %d".formatted(length, offset));
      }
      check(posix.punch(fd, offset, length), "free a part of", path);
    }
  }

  private long size(String path) throws IOException {
    long size = in.u64();
    if (size < 0) {
      throw malformed(path, "a size of %d bytes is invalid".formatted(size));
    }
    return size;
  }

  /** Returns where the last one ended. */
  private long extents(int fd, String path) throws IOException {
    long end = 0;
    for (int length = in.u32(); length != 0; length = in.u32()) {
      Interruption.check("apply", path);
      if (length < 0 || length > Wire.BLOCK_BYTES) {
        throw malformed(path, "an extent of %d bytes is invalid".formatted(length));
      }
      long offset = in.u64();
      if (offset < end || offset > Long.MAX_VALUE - length) {
        throw malformed(path, "an extent at offset %d is out of order".formatted(offset));
      }
      end = offset + length;
      bytes += length;
      if (bytes > limits.bytes()) {
        throw FileTreeException.beyondLimits(
            path, "more than %d bytes are not allowed".formatted(limits.bytes()));
      }
      in.bytes(posix.buffer(), length);
      for (long done = 0; done < length; ) {
        done += check(posix.write(fd, done, length - done, offset + done), "write", path);
      }
    }
    return end;
  }

  private void symlink(String path) throws IOException {
    Metadata metadata = metadata(path, Wire.SYMLINK);
    int length = in.u16();
    if (length == 0 || length >= Posix.PATH_BYTES) {
      throw malformed(path, "a link's target of %d bytes is invalid".formatted(length));
    }
    byte[] text = in.bytes(length);
    for (byte b : text) {
      if (b == 0) {
        throw malformed(path, "its target has a NUL");
      }
    }
    int parent = parentOf(path);
    check(posix.makeSymlink(parent, temporary, text), "create", path);
    orDiscard(parent, () -> finishLeaf(parent, path, metadata));
  }

  private void node(String path) throws IOException {
    Metadata metadata = metadata(path, Wire.NODE);
    long device = in.u64();
    FileType type = FileType.of(metadata.mode()).orElseThrow();
    boolean hasDevice = type.device();
    if (hasDevice && !limits.devices().allow(type, device)) {
      throw FileTreeException.forbidden(path, "device nodes are not allowed");
    }
    int parent = parentOf(path);
    int mode = (metadata.mode() & ~07777) | 0600;
    check(posix.makeNode(parent, temporary, mode, hasDevice ? device : 0), "create", path);
    orDiscard(parent, () -> finishLeaf(parent, path, metadata));
  }

  private void link(String path) throws IOException {
    String existing = in.path(false);
    int parent = parentOf(path);
    int directory = linked.enter(Names.parent(existing));
    if (directory < 0) {
      throw malformed(path, "it links to what is in no directory");
    }
    int result = posix.link(directory, Names.last(existing), parent, temporary);
    check(result, "link", path);
    orDiscard(
        parent,
        () -> {
          rename(parent, path);
          // Renaming one name of a file to another of the same file does nothing, rename(2).
          posix.unlink(parent, temporary, 0);
        });
    files++;
  }

  private interface Step {
    void run() throws IOException;
  }

  /** Runs the rest of making an entry; its temporary name doesn't survive a failure. */
  private void orDiscard(int parent, Step rest) throws IOException {
    boolean done = false;
    try {
      rest.run();
      done = true;
    } finally {
      if (!done) {
        posix.unlink(parent, temporary, 0);
      }
    }
  }

  private void finishLeaf(int parent, String path, Metadata metadata) {
    own(parent, temporary, path, metadata);
    check(
        posix.setTimes(parent, temporary, metadata.accessed(), metadata.modified()),
        "set the times of",
        path);
    rename(parent, path);
    files++;
  }

  private void rename(int parent, String path) {
    String name = Names.last(path);
    int result = posix.rename(parent, temporary, name);
    if (result == -Posix.EISDIR) {
      removeAny(parent, name, path);
      result = posix.rename(parent, temporary, name);
    }
    check(result, "rename to", path);
  }

  private void own(int directory, String name, String path, Metadata metadata) {
    check(posix.chown(directory, name, metadata.uid(), metadata.gid()), "set the owner of", path);
    Attributes.replace(posix, directory, name, path, metadata.attributes());
    if (!FileType.SYMLINK.equals(FileType.of(metadata.mode()).orElseThrow())) {
      check(posix.chmod(directory, name, metadata.permissions()), "set the mode of", path);
    }
  }

  private Metadata metadata(String path, int record) throws IOException {
    Metadata metadata = in.metadata(path);
    FileType type = FileType.of(metadata.mode()).orElseThrow();
    boolean fits =
        switch (type) {
          case DIRECTORY -> record == Wire.DIRECTORY;
          case REGULAR -> record == Wire.FILE;
          case SYMLINK -> record == Wire.SYMLINK;
          case FIFO, SOCKET, CHARACTER_DEVICE, BLOCK_DEVICE -> record == Wire.NODE;
        };
    if (!fits) {
      throw malformed(path, "its mode says %s and its record something else".formatted(type));
    }
    if (metadata.privileged() && !limits.privileged()) {
      throw FileTreeException.forbidden(path, "setuid, setgid and capabilities are not allowed");
    }
    return metadata;
  }

  private int parentOf(String path) {
    int fd = target.enter(Names.parent(path));
    if (fd < 0) {
      throw malformed(path, "what should be its directory is none, or is missing");
    }
    return fd;
  }

  /** What is gone with its directory needs no removing. */
  private void remove(String path) {
    int parent = target.enter(Names.parent(path));
    if (parent >= 0) {
      removeCounted(parent, Names.last(path), path);
    }
  }

  private void removeCounted(int parent, String name, String path) {
    if (removeAny(parent, name, path)) {
      deleted++;
    }
  }

  private boolean removeAny(int parent, String name, String path) {
    linked.forget(path);
    target.forget(path);
    return removeTree(parent, name, path);
  }

  private boolean removeTree(int parent, String name, String path) {
    int result = posix.unlink(parent, name, 0);
    if (result == -Posix.ENOENT) {
      return false;
    }
    if (result == -Posix.EISDIR) {
      Interruption.check("remove", path);
      int fd = posix.openDirectory(parent, name);
      check(fd, "open", path);
      try {
        for (String child : posix.names(fd, path)) {
          removeTree(fd, child, Names.join(path, child));
        }
      } finally {
        posix.close(fd);
      }
      result = posix.unlink(parent, name, Posix.AT_REMOVEDIR);
    }
    check(result, "remove", path);
    return true;
  }
}

package io.pagurus.dind.files;

import static io.pagurus.dind.files.Posix.check;

import io.pagurus.dind.files.TreeSnapshot.Node;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Writes the difference between two snapshots of a tree as a stream for {@link TreeReceiver}.
 *
 * <p>The tree may be in use. An entry is sent when its stamp differs from the one of the pass
 * before; the stamp is older than the content that is read, so a change in between is seen by the
 * next pass. An entry that is gone or replaced by the time of reading is left out and marked in the
 * snapshot. Names that share an inode are sent as one file and links to it, all of them when one
 * changed.
 *
 * <p>Removing and replacing entries changes the times of their directory at the receiver, so the
 * record of a directory goes with whatever is sent of its direct children.
 */
public final class TreeSender {
  private final Posix posix;
  private final FileTree tree;
  private final TreeSnapshot before;
  private final Predicate<String> always;
  private final Optional<SentBlocks> blocks;
  private final byte[] looked = new byte[Posix.BUFFER_BYTES];
  private final RecordWriter out;
  private final Set<Long> changedInodes = new HashSet<>();
  private final Map<Long, String> sentInodes = new HashMap<>();
  private long files;
  private long bytes;
  private long deleted;
  private long skipped;

  private TreeSender(
      Posix posix,
      FileTree tree,
      TreeSnapshot before,
      Predicate<String> always,
      Optional<SentBlocks> blocks,
      RecordWriter out) {
    this.posix = posix;
    this.tree = tree;
    this.before = before;
    this.always = always;
    this.blocks = blocks;
    this.out = out;
  }

  /**
   * Sends one pass.
   *
   * @param now the tree's latest scan
   * @param before the snapshot that was sent last, {@link TreeSnapshot#empty()} for the first pass
   * @param always paths (no leading slash) of files to be sent even if their stamps are equal: a
   *     write through a shared mapping reaches ctime only when the kernel finds the page dirty
   * @param out not closed; blocks of at most 256 KiB are written to it
   * @throws IOException when the stream cannot be written
   * @throws FileTreeException when the tree cannot be read, or the thread is interrupted
   */
  public static TreeStats send(
      FileTree tree,
      TreeSnapshot now,
      TreeSnapshot before,
      Predicate<String> always,
      OutputStream out)
      throws IOException {
    return send(tree, now, before, always, Optional.empty(), out);
  }

  /**
   * The same with an eye on contents instead of stamps: of a file that the receiver has, only the
   * blocks travel that differ.
   *
   * @param blocks what it has, by the passes before; updated
   */
  public static TreeStats send(
      FileTree tree, TreeSnapshot now, TreeSnapshot before, SentBlocks blocks, OutputStream out)
      throws IOException {
    return send(tree, now, before, path -> false, Optional.of(blocks), out);
  }

  private static TreeStats send(
      FileTree tree,
      TreeSnapshot now,
      TreeSnapshot before,
      Predicate<String> always,
      Optional<SentBlocks> blocks,
      OutputStream out)
      throws IOException {
    try (Posix posix = new Posix()) {
      RecordWriter writer = new RecordWriter(out);
      TreeSender sender = new TreeSender(posix, tree, before, always, blocks, writer);
      if (now.root().isPresent()) {
        Node root = now.root().get();
        sender.findChangedInodes(root, before.root(), "");
        try (SourceDirectory directory = SourceDirectory.root(posix, tree)) {
          sender.directory(directory, root, before.root(), "");
        }
      }
      return sender.finish();
    }
  }

  private TreeStats finish() throws IOException {
    out.u8(Wire.END).u64(files).u64(bytes).finish();
    return new TreeStats(files, bytes, deleted, skipped);
  }

  private void findChangedInodes(Node directory, Optional<Node> old, String path) {
    for (Node child : directory.children()) {
      if (child.stamp().directory()) {
        findChangedInodes(child, child(old, child), Names.join(path, child.name()));
      } else if (child.stamp().linked()
          && changed(child, child(old, child), Names.join(path, child.name()))) {
        changedInodes.add(child.stamp().inode());
      }
    }
  }

  private boolean changed(Node node, Optional<Node> old, String path) {
    if (old.isEmpty() || old.get().missed()) {
      return true;
    }
    Stamp oldStamp = old.get().stamp();
    return !node.stamp().same(oldStamp)
        || (!oldStamp.whiteout() && (before.fresh(oldStamp) || always.test(path)));
  }

  private boolean toSend(Node node, Optional<Node> old, String path) {
    return changed(node, old, path)
        || (node.stamp().linked() && changedInodes.contains(node.stamp().inode()));
  }

  private boolean toBeLookedAt(Node node) {
    return blocks.isPresent() && node.stamp().type() == FileType.REGULAR;
  }

  private static Optional<Node> child(Optional<Node> parent, Node child) {
    return parent.flatMap(node -> node.child(child.name()));
  }

  private void directory(SourceDirectory directory, Node now, Optional<Node> old, String path)
      throws IOException {
    Interruption.check("send", path);
    boolean changed = changed(now, old, path);
    List<Node> leaves = leavesToSend(now, old, path);
    List<Node> vanished = old.map(node -> vanished(now, node)).orElse(List.of());
    if (changed || !leaves.isEmpty() || !vanished.isEmpty()) {
      directoryRecord(directory, now, changed, path);
    }
    for (Node gone : vanished) {
      remove(Names.join(path, gone.name()));
    }
    for (Node leaf : leaves) {
      leaf(directory, leaf, child(old, leaf), Names.join(path, leaf.name()));
    }
    for (Node child : now.children()) {
      if (child.stamp().directory()) {
        try (SourceDirectory below = directory.child(child.name(), child.stamp().inode())) {
          directory(below, child, child(old, child), Names.join(path, child.name()));
        }
      }
    }
  }

  private List<Node> leavesToSend(Node now, Optional<Node> old, String path) {
    List<Node> leaves = new ArrayList<>();
    for (Node child : now.children()) {
      if (!child.stamp().directory()
          && (toBeLookedAt(child)
              || toSend(child, child(old, child), Names.join(path, child.name())))) {
        leaves.add(child);
      }
    }
    return leaves;
  }

  private static List<Node> vanished(Node now, Node old) {
    return Arrays.stream(old.children())
        .filter(child -> !child.stamp().whiteout() && now.child(child.name()).isEmpty())
        .toList();
  }

  private void remove(String path) throws IOException {
    out.begin(Wire.REMOVE, path);
    deleted++;
  }

  private void directoryRecord(SourceDirectory directory, Node now, boolean changed, String path)
      throws IOException {
    int fd = directory.fd();
    if (fd < 0) {
      miss(now);
      return;
    }
    check(posix.stat(fd, ""), "stat", path);
    Metadata metadata = metadata(fd, ".", posix.status(), path);
    boolean exact = changed && now.stamp().exact();
    out.begin(Wire.DIRECTORY, path).metadata(metadata).u8(exact ? 1 : 0);
    if (exact) {
      for (Node child : now.children()) {
        if (!child.stamp().whiteout()) {
          byte[] name = Names.encode(child.name());
          out.u16(name.length).bytes(name);
        }
      }
      out.u16(0);
    }
  }

  private void leaf(SourceDirectory directory, Node node, Optional<Node> old, String path)
      throws IOException {
    Interruption.check("send", path);
    Stamp stamp = node.stamp();
    if (stamp.whiteout()) {
      remove(path);
      return;
    }
    int parent = directory.fd();
    if (parent < 0) {
      miss(node);
      return;
    }
    String sent = stamp.linked() ? sentInodes.get(stamp.inode()) : null;
    if (sent != null && !toSend(node, old, path)) {
      return; // looked at under another name
    }
    if (sent != null) {
      out.begin(Wire.LINK, path).path(sent);
      files++;
      return;
    }
    boolean present =
        switch (stamp.type()) {
          case REGULAR -> regular(parent, node, old, path);
          case SYMLINK -> symlink(parent, node, path);
          case FIFO, SOCKET, CHARACTER_DEVICE, BLOCK_DEVICE -> node(parent, node, path);
          case DIRECTORY -> throw new IllegalStateException(path);
        };
    if (!present) {
      miss(node);
      return;
    }
    if (stamp.linked()) {
      sentInodes.put(stamp.inode(), path);
    }
  }

  private void miss(Node node) {
    node.miss();
    skipped++;
  }

  private boolean regular(int parent, Node node, Optional<Node> old, String path)
      throws IOException {
    int fd = posix.openFile(parent, node.name());
    if (SourceDirectory.vanished(fd, path)) {
      return false;
    }
    try {
      check(posix.stat(fd, ""), "stat", path);
      Status status = posix.status();
      if (status.inode() != node.stamp().inode() || status.type(path) != FileType.REGULAR) {
        return false;
      }
      Metadata metadata = metadata(parent, node.name(), status, path);
      boolean inBlocks = blocks.isPresent() && status.sizeBytes() <= SentBlocks.MOST_BYTES;
      if (inBlocks && held(node, old)) {
        Patch patch = new Patch(path, metadata);
        if (toSend(node, old, path)) {
          patch.begin();
        }
        patch(fd, status, patch, blocks.get());
        return true;
      }
      out.begin(Wire.FILE, path).metadata(metadata);
      if (inBlocks) {
        blocks.get().begin(status.inode());
        changedBlocks(fd, status, path, blocks.get(), () -> {});
        List<SentBlocks.Run> ignored = blocks.get().gone(status.inode());
      } else {
        extents(fd, status, path);
        if (blocks.isPresent()) {
          node.miss();
        }
      }
      out.u32(0).u64(status.sizeBytes());
      files++;
      return true;
    } finally {
      posix.close(fd);
    }
  }

  /** Whether the receiver has an earlier state of this very file under this name. */
  private static boolean held(Node node, Optional<Node> old) {
    return old.filter(last -> !last.missed())
        .map(Node::stamp)
        .filter(stamp -> stamp.type() == FileType.REGULAR)
        .filter(stamp -> stamp.inode() == node.stamp().inode())
        .isPresent();
  }

  /** The record of a change in place; nothing is written before there is one. */
  private final class Patch {
    private final String path;
    private final Metadata metadata;
    private boolean begun;

    Patch(String path, Metadata metadata) {
      this.path = path;
      this.metadata = metadata;
    }

    void begin() throws IOException {
      if (!begun) {
        begun = true;
        out.begin(Wire.PATCH, path).metadata(metadata);
      }
    }

    void end(List<SentBlocks.Run> gone, long size) throws IOException {
      if (!gone.isEmpty()) {
        begin();
      }
      if (!begun) {
        return;
      }
      out.u32(0);
      for (SentBlocks.Run run : gone) {
        long offset = run.first() * SentBlocks.BLOCK_BYTES;
        if (offset < size) {
          out.u64(run.count() * SentBlocks.BLOCK_BYTES).u64(offset);
        }
      }
      out.u64(0).u64(size);
      files++;
    }
  }

  private void patch(int fd, Status status, Patch patch, SentBlocks held) throws IOException {
    changedBlocks(fd, status, patch.path, held, patch::begin);
    patch.end(held.gone(status.inode()), status.sizeBytes());
  }

  @FunctionalInterface
  private interface Beginning {
    void write() throws IOException;
  }

  /**
   * Those blocks of a file that the receiver lacks. What is cut off or grows meanwhile is left to
   * the next pass.
   *
   * @param beginning runs before anything is written
   */
  private void changedBlocks(
      int fd, Status status, String path, SentBlocks held, Beginning beginning) throws IOException {
    long size = status.sizeBytes();
    for (long start = 0; start < size; ) {
      long end = size;
      if (status.sparse()) {
        long data = posix.seek(fd, start, Posix.SEEK_DATA);
        if (data == -Posix.ENXIO) {
          return;
        }
        check(data, "find the data of", path);
        end = posix.seek(fd, data, Posix.SEEK_HOLE);
        if (end == -Posix.ENXIO) {
          return; // cut off meanwhile
        }
        check(end, "find holes of", path);
        start = data - data % SentBlocks.BLOCK_BYTES;
      }
      while (start < Math.min(end, size)) {
        Interruption.check("send", path);
        long wanted = Math.min(Posix.BUFFER_BYTES, Math.min(end, size) - start);
        long length = check(posix.read(fd, wanted, start), "read", path);
        if (length <= 0) {
          return;
        }
        changedBlocks(status.inode(), start, (int) length, held, beginning);
        start += Math.ceilDiv(wanted, SentBlocks.BLOCK_BYTES) * SentBlocks.BLOCK_BYTES;
      }
    }
  }

  /** The same for what has been read. */
  private void changedBlocks(
      long inode, long start, int length, SentBlocks held, Beginning beginning) throws IOException {
    MemorySegment.copy(posix.buffer(), ValueLayout.JAVA_BYTE, 0, looked, 0, length);
    int whole = Math.ceilDiv(length, SentBlocks.BLOCK_BYTES) * SentBlocks.BLOCK_BYTES;
    Arrays.fill(looked, length, whole, (byte) 0);
    int changedFrom = 0;
    for (int at = 0; at < length; at += SentBlocks.BLOCK_BYTES) {
      if (!held.changed(inode, (start + at) / SentBlocks.BLOCK_BYTES, looked, at)) {
        extent(start, changedFrom, at, beginning);
        changedFrom = at + SentBlocks.BLOCK_BYTES;
      }
    }
    extent(start, changedFrom, length, beginning);
  }

  private void extent(long start, int from, int to, Beginning beginning) throws IOException {
    if (from < to) {
      beginning.write();
      out.u32(to - from).u64(start + from).bytes(posix.buffer().asSlice(from), to - from);
      bytes += to - from;
    }
  }

  /**
   * The parts of a file that hold data, up to the size it had when it was opened: a log that grows
   * faster than the link must not keep us for ever.
   */
  private void extents(int fd, Status status, String path) throws IOException {
    long size = status.sizeBytes();
    boolean sparse = status.sparse();
    long start = 0;
    while (start < size) {
      long end = size;
      if (sparse) {
        start = posix.seek(fd, start, Posix.SEEK_DATA);
        if (start == -Posix.ENXIO) {
          return;
        }
        end = posix.seek(fd, check(start, "find the data of", path), Posix.SEEK_HOLE);
        end = end == -Posix.ENXIO ? start : Math.min(size, check(end, "find holes of", path));
        if (end <= start) {
          return;
        }
      }
      while (start < end) {
        Interruption.check("send", path);
        long length = Math.min(Posix.BUFFER_BYTES, end - start);
        length = check(posix.read(fd, length, start), "read", path);
        if (length == 0) {
          return;
        }
        out.u32((int) length).u64(start).bytes(posix.buffer(), length);
        start += length;
        bytes += length;
      }
    }
  }

  private boolean symlink(int parent, Node node, String path) throws IOException {
    Optional<Metadata> metadata = unopened(parent, node, path);
    if (metadata.isEmpty()) {
      return false;
    }
    long length = posix.readSymlink(parent, node.name());
    if (length == -Posix.EINVAL || SourceDirectory.vanished(length, path)) {
      return false;
    }
    out.begin(Wire.SYMLINK, path).metadata(metadata.get());
    out.u16((int) length).bytes(posix.buffer(), length);
    files++;
    return true;
  }

  private boolean node(int parent, Node node, String path) throws IOException {
    Optional<Metadata> metadata = unopened(parent, node, path);
    if (metadata.isEmpty()) {
      return false;
    }
    out.begin(Wire.NODE, path).metadata(metadata.get()).u64(node.stamp().device());
    files++;
    return true;
  }

  private Optional<Metadata> unopened(int parent, Node node, String path) {
    if (SourceDirectory.vanished(posix.stat(parent, node.name()), path)) {
      return Optional.empty();
    }
    Status status = posix.status();
    return status.inode() == node.stamp().inode() && status.type(path) == node.stamp().type()
        ? Optional.of(metadata(parent, node.name(), status, path))
        : Optional.empty();
  }

  private Metadata metadata(int parent, String name, Status status, String path) {
    return new Metadata(
        status.mode(),
        status.uid(),
        status.gid(),
        status.accessed(),
        status.modified(),
        Attributes.read(posix, parent, name, path, tree.overlay()));
  }
}

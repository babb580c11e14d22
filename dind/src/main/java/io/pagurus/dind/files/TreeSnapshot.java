package io.pagurus.dind.files;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.BiConsumer;

/**
 * The stamps of all entries of a tree at one time, in memory as a tree of names.
 *
 * <p>Immutable but for one thing: {@link TreeSender} marks in it what it could not send because the
 * entry was gone by then, so that the next pass doesn't take it for sent. So a snapshot that has
 * been sent says what the receiver has.
 */
public final class TreeSnapshot {
  /**
   * Longest time between two ticks of the clock that stamps files (CONFIG_HZ=100), doubled. A file
   * changed twice within one tick keeps its ctime: so a stamp that was that fresh when it was taken
   * proves nothing. (Linux 6.13 has finer stamps, on some file systems.)
   */
  static final long TICK_NANOS = 20_000_000;

  private static final TreeSnapshot EMPTY = new TreeSnapshot(Optional.empty(), Long.MAX_VALUE);

  private final Optional<Node> root;
  private final long takenNanos;

  TreeSnapshot(Optional<Node> root, long takenNanos) {
    this.root = root;
    this.takenNanos = takenNanos;
  }

  /** Nothing has been sent yet. */
  public static TreeSnapshot empty() {
    return EMPTY;
  }

  /** The stamp of an entry, by its path without a leading slash; empty is the root. */
  public Optional<Stamp> stamp(String path) {
    Optional<Node> node = root;
    for (String name : path.isEmpty() ? new String[0] : path.split("/", -1)) {
      node = node.flatMap(parent -> parent.child(name));
    }
    return node.map(Node::stamp);
  }

  /** Number of entries, the root included. */
  public long size() {
    long[] count = {0};
    forEach((path, stamp) -> count[0]++);
    return count[0];
  }

  /** Contents of all regular files as their sizes say, holes included: an upper estimate. */
  public long sizeBytes() {
    long[] bytes = {0};
    forEach((path, stamp) -> bytes[0] += stamp.type() == FileType.REGULAR ? stamp.sizeBytes() : 0);
    return bytes[0];
  }

  /** Every entry, a directory before what is in it. */
  public void forEach(BiConsumer<String, Stamp> action) {
    root.ifPresent(node -> visit(node, "", action));
  }

  private static void visit(Node node, String path, BiConsumer<String, Stamp> action) {
    action.accept(path, node.stamp());
    for (Node child : node.children()) {
      visit(child, Names.join(path, child.name()), action);
    }
  }

  Optional<Node> root() {
    return root;
  }

  /** Whether the stamp may have been taken in the same tick as a later change. */
  boolean fresh(Stamp stamp) {
    return stamp.changedNanos() > takenNanos - TICK_NANOS;
  }

  /** One entry; children are sorted by name. */
  static final class Node {
    private static final Comparator<Node> BY_NAME = Comparator.comparing(Node::name);

    private final String name;
    private final Stamp stamp;
    private final Node[] children;
    private boolean missed;

    private Node(String name, Stamp stamp, Node[] children) {
      this.name = name;
      this.stamp = stamp;
      this.children = children;
    }

    /** The old node when it says the same, so that unchanged parts are in memory only once. */
    static Node of(String name, Stamp stamp, Node[] children, Optional<Node> old) {
      Arrays.sort(children, BY_NAME);
      return old.filter(node -> node.says(stamp, children))
          .orElseGet(() -> new Node(name, stamp, children));
    }

    private boolean says(Stamp otherStamp, Node[] otherChildren) {
      if (missed || !stamp.same(otherStamp) || children.length != otherChildren.length) {
        return false;
      }
      for (int i = 0; i < children.length; i++) {
        if (children[i] != otherChildren[i]) {
          return false;
        }
      }
      return true;
    }

    String name() {
      return name;
    }

    Stamp stamp() {
      return stamp;
    }

    Node[] children() {
      return children;
    }

    Optional<Node> child(String wanted) {
      int low = 0;
      int high = children.length;
      while (low < high) {
        int middle = (low + high) >>> 1;
        int order = children[middle].name.compareTo(wanted);
        if (order == 0) {
          return Optional.of(children[middle]);
        }
        if (order < 0) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      return Optional.empty();
    }

    /** Notes that the receiver doesn't have this state of the entry. */
    void miss() {
      missed = true;
    }

    boolean missed() {
      return missed;
    }
  }
}

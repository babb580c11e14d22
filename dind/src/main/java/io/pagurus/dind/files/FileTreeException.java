package io.pagurus.dind.files;

import static java.util.Objects.requireNonNull;

/**
 * A file tree could not be scanned, sent or applied; the message names the entry and the reason.
 */
public final class FileTreeException extends RuntimeException {
  private enum Kind {
    FAILED,
    BEYOND_LIMITS,
    FORBIDDEN
  }

  private final String path;
  private final Kind kind;

  FileTreeException(String action, String path, String reason) {
    this(action, path, reason, Kind.FAILED);
  }

  private FileTreeException(String action, String path, String reason, Kind kind) {
    super("Cannot %s %s: %s.".formatted(action, printable(path), reason));
    this.path = requireNonNull(path, "path is null");
    this.kind = kind;
  }

  static FileTreeException beyondLimits(String path, String reason) {
    return new FileTreeException("apply", path, reason, Kind.BEYOND_LIMITS);
  }

  static FileTreeException forbidden(String path, String reason) {
    return new FileTreeException("apply", path, reason, Kind.FORBIDDEN);
  }

  /** Whether the stream was well-formed and had more than the receiver's {@link Limits}. */
  public boolean isBeyondLimits() {
    return kind == Kind.BEYOND_LIMITS;
  }

  /** Whether the stream was well-formed and had a kind of file that the {@link Limits} exclude. */
  public boolean isForbidden() {
    return kind == Kind.FORBIDDEN;
  }

  /** The entry, relative to the tree; empty for the tree itself. */
  public String path() {
    return path;
  }

  /** A hostile name must not play tricks on a terminal or fill a log. */
  private static String printable(String path) {
    if (path.isEmpty()) {
      return "the tree's root";
    }
    String shown = path.length() > 300 ? path.substring(0, 300) + "..." : path;
    StringBuilder text = new StringBuilder("'");
    for (int i = 0; i < shown.length(); i++) {
      char c = shown.charAt(i);
      boolean plain = !Character.isISOControl(c) && !Names.isEscape(c);
      text.append(plain ? Character.toString(c) : "\\x%02x".formatted(c & 0xff));
    }
    return text.append('\'').toString();
  }
}

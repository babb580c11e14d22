package io.pagurus.dind.files;

import static java.util.Objects.requireNonNull;

/**
 * A file tree could not be scanned, sent or applied; the message names the entry and the reason.
 */
public final class FileTreeException extends RuntimeException {
  private final String path;
  private final boolean beyondLimits;

  FileTreeException(String action, String path, String reason) {
    this(action, path, reason, false);
  }

  private FileTreeException(String action, String path, String reason, boolean beyondLimits) {
    super("Cannot %s %s: %s.".formatted(action, printable(path), reason));
    this.path = requireNonNull(path, "path is null");
    this.beyondLimits = beyondLimits;
  }

  static FileTreeException beyondLimits(String path, String reason) {
    return new FileTreeException("apply", path, reason, true);
  }

  /** Whether the stream was well-formed and went beyond the receiver's {@link Limits}. */
  public boolean isBeyondLimits() {
    return beyondLimits;
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

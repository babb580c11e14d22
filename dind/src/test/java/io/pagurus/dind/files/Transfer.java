package io.pagurus.dind.files;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.function.Predicate;

/** Both ends of the passes of one tree, joined by a byte array. */
final class Transfer {
  private final FileTree source;
  private final Path target;
  private TreeSnapshot before = TreeSnapshot.empty();
  private Predicate<String> always = path -> false;
  private TreeStats received;

  Transfer(FileTree source, Path target) {
    this.source = source;
    this.target = target;
  }

  void always(Predicate<String> paths) {
    always = paths;
  }

  /** Scans when all stamps are old enough to be trusted, so that the next pass is only its due. */
  TreeSnapshot settledScan() {
    try (Posix posix = new Posix()) {
      while (true) {
        long clock = posix.fileClockNanos();
        TreeSnapshot now = source.scan(before);
        boolean[] settled = {true};
        now.forEach(
            (path, stamp) -> settled[0] &= stamp.changedNanos() <= clock - TreeSnapshot.TICK_NANOS);
        if (settled[0]) {
          return now;
        }
      }
    }
  }

  /** A scan of a tree that is in use. */
  TreeSnapshot scan() {
    return source.scan(before);
  }

  /** One pass of a tree at rest. */
  TreeStats pass() throws IOException {
    TreeStats sent = pass(settledScan());
    assertEquals(0, sent.skipped());
    return sent;
  }

  /** One pass of what a scan saw. */
  TreeStats pass(TreeSnapshot now) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    TreeStats sent = TreeSender.send(source, now, before, always, out);
    out.write(0x55);
    ByteArrayInputStream in = new ByteArrayInputStream(out.toByteArray());
    received = TreeReceiver.receive(in, target, Limits.rootfs(Long.MAX_VALUE, Long.MAX_VALUE));
    assertEquals(0x55, in.read(), "the receiver takes what belongs to the tree and no more");
    assertEquals(sent.files(), received.files());
    assertEquals(sent.bytes(), received.bytes());
    before = now;
    return sent;
  }

  TreeStats received() {
    return received;
  }
}

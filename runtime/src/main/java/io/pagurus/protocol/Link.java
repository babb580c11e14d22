package io.pagurus.protocol;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.concurrent.CountDownLatch;

/** What carries a connection at present. */
final class Link {
  private final DataInputStream in;
  private final OutputStream out;
  private final FrameConnection.HangUp hangUp;
  private final CountDownLatch closed = new CountDownLatch(1);

  Link(InputStream in, OutputStream out, FrameConnection.HangUp hangUp) {
    this.in = new DataInputStream(in);
    this.out = out;
    this.hangUp = hangUp;
  }

  DataInputStream in() {
    return in;
  }

  OutputStream out() {
    return out;
  }

  boolean open() {
    return closed.getCount() > 0;
  }

  /** Ends it, what was written being sent first; whoever reads or writes fails. */
  void close() {
    end(in::close);
  }

  /** Ends it at once. */
  void cut() {
    end(hangUp);
  }

  private void end(FrameConnection.HangUp how) {
    closed.countDown();
    try {
      how.now();
    } catch (IOException e) {
      // Closed either way.
    }
  }

  void awaitClosed() throws InterruptedException {
    closed.await();
  }
}

package io.pagurus.transfer;

import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;

/** A page store and a segment store at the other end of a real connection. */
final class Received implements AutoCloseable {
  private final PageStore store;
  private final SegmentStore segments = new SegmentStore(1L << 30);
  private final SocketPair sockets;
  private final ArtifactSender sender;

  Received(Path directory) throws IOException {
    store = new PageStore(directory, 1L << 30);
    sockets = SocketPair.open();
    sender =
        new ArtifactSender(
            sockets.dialled(),
            sockets.here(),
            Bandwidth.unlimited(),
            new AtomicInteger(),
            bytes -> {});
    var receiver =
        new ArtifactReceiver(sockets.accepted(), new Memory(store, segments), bytes -> {});
    Thread.ofVirtual()
        .start(
            () -> {
              try {
                while (receiver.receiveNext()) {}
              } catch (MigrationException e) {
                // The sender failed, and knows why.
              }
            });
  }

  PageStore store() {
    return store;
  }

  SegmentStore segments() {
    return segments;
  }

  /** Sends one artifact and waits until it has been applied. */
  void send(ArtifactSender.Body body) {
    send("", body);
  }

  void send(String name, ArtifactSender.Body body) {
    sender.awaitReceived(sender.send(Kind.MEMORY, name, body));
  }

  private record Memory(PageStore store, SegmentStore segments) implements ArtifactReceiver.Stage {
    @Override
    public ArtifactSink open(Message.ArtifactBegin begin) {
      try {
        return new Chunks(begin.name().isEmpty() ? store::accept : segments.open(begin.name()));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    @Override
    public void received(int number, String digest) {}
  }

  private record Chunks(SegmentStore.Sink target) implements ArtifactSink {

    @Override
    public void accept(byte[] bytes, int length) throws IOException {
      target.accept(bytes, length);
    }

    @Override
    public void finish() {}

    @Override
    public void abandon() {}
  }

  @Override
  public void close() throws IOException {
    sender.close();
    sockets.close();
    store.close();
    segments.close();
  }
}

package io.pagurus.transfer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.Zstd;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.ArtifactBegin.Kind;
import io.pagurus.transfer.ArtifactSender.Sent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

@Timeout(20)
final class ArtifactTransferTest {
  private SocketPair sockets;
  private ArtifactSender sender;
  private final AtomicLong sentBytes = new AtomicLong();
  private final AtomicLong receivedBytes = new AtomicLong();
  private final Collecting stage = new Collecting();

  @BeforeEach
  void connect() throws IOException {
    sockets = SocketPair.open();
  }

  @AfterEach
  void disconnect() throws IOException {
    if (sender != null) {
      sender.close();
    }
    sockets.close();
  }

  /** Keeps what arrives, unless told to fail. */
  private static final class Collecting implements ArtifactReceiver.Stage {
    private final List<byte[]> artifacts = new ArrayList<>();
    private final List<String> digests = new ArrayList<>();
    private int abandoned;
    private RuntimeException refusal;
    private IOException failure;

    @Override
    public ArtifactSink open(Message.ArtifactBegin begin) {
      if (refusal != null) {
        throw refusal;
      }
      var bytes = new ByteArrayOutputStream();
      return new ArtifactSink() {
        @Override
        public void accept(byte[] source, int length) throws IOException {
          bytes.write(source, 0, length);
          if (failure != null) {
            throw failure;
          }
        }

        @Override
        public void finish() {
          artifacts.add(bytes.toByteArray());
        }

        @Override
        public void abandon() {
          abandoned++;
        }
      };
    }

    @Override
    public void received(int number, String digest) {
      digests.add(digest);
    }
  }

  private ArtifactSender sender() throws IOException {
    sender =
        new ArtifactSender(
            sockets.dialled(),
            sockets.here(),
            Bandwidth.unlimited(),
            new AtomicInteger(),
            sentBytes::addAndGet);
    return sender;
  }

  /** Receives to the end; like the endpoint, tells the peer what went wrong and hangs up. */
  private CompletableFuture<Void> receiving() {
    return CompletableFuture.runAsync(
        () -> {
          try (var _ = sockets.there()) {
            FrameConnection connection = sockets.accepted();
            var receiver = new ArtifactReceiver(connection, stage, receivedBytes::addAndGet);
            try {
              boolean more = true;
              while (more) {
                more = receiver.receiveNext();
              }
            } catch (MigrationException e) {
              connection.send(new Message.Refused(e.code(), e.getMessage()));
              throw e;
            }
          } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
          }
        },
        task -> Thread.ofVirtual().start(task));
  }

  private static ArtifactSender.Body body(byte[] bytes) {
    return artifact -> {
      try (OutputStream out = artifact.stream()) {
        out.write(bytes);
      }
    };
  }

  private static byte[] random(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private static byte[] text(int length) {
    byte[] bytes = new byte[length];
    for (int i = 0; i < length; i++) {
      bytes[i] = (byte) ('a' + i / 100 % 26);
    }
    return bytes;
  }

  static Stream<Arguments> contents() {
    return Stream.of(
        Arguments.of("empty", new byte[0]),
        Arguments.of("one byte", new byte[] {7}),
        Arguments.of("one chunk exactly", text(ArtifactSender.CHUNK_BYTES)),
        Arguments.of("one byte more", random(ArtifactSender.CHUNK_BYTES + 1)),
        Arguments.of("compressible", text(20 * ArtifactSender.CHUNK_BYTES + 17)),
        Arguments.of("incompressible", random(9 * ArtifactSender.CHUNK_BYTES + 17)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("contents")
  void everythingArrivesAsItWas(String what, byte[] content) throws Exception {
    CompletableFuture<Void> receiving = receiving();
    Sent sent = sender().send(Kind.VOLUME, "/data", body(content));
    sender.awaitReceived(sent);
    sender.close();
    receiving.get();
    assertArrayEquals(content, stage.artifacts.getFirst());
    assertEquals(List.of(sent.digest()), stage.digests);
    assertEquals(content.length, sent.bytes());
    assertEquals(content.length, sentBytes.get());
    assertEquals(content.length, receivedBytes.get());
    assertEquals(0, stage.abandoned);
    if (what.equals("compressible")) {
      assertTrue(sender.bytesSent() < content.length / 20, "sent " + sender.bytesSent());
    }
    assertTrue(sender.bytesSent() < content.length + 1000, "sent " + sender.bytesSent());
  }

  @Test
  void artifactsFollowEachOther() throws Exception {
    CompletableFuture<Void> receiving = receiving();
    List<Sent> sent = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      sent.add(sender == null ? sender().send(Kind.LOG, "@0", body(text(i))) : more(i));
    }
    sent.forEach(sender::awaitReceived);
    sender.close();
    receiving.get();
    assertEquals(20, stage.artifacts.size());
    assertEquals(19, stage.artifacts.getLast().length);
    assertEquals(20, sent.stream().map(Sent::number).distinct().count());
  }

  private Sent more(int length) {
    return sender.send(Kind.LOG, "@0", body(text(length)));
  }

  @Test
  void aBodyThatCannotBeReadIsATransferFailure() throws Exception {
    CompletableFuture<Void> receiving = receiving();
    ArtifactSender.Body broken =
        artifact -> {
          try (OutputStream out = artifact.stream()) {
            out.write(random(3 << 20));
            throw new IOException("Input/output error");
          }
        };
    var failure =
        assertThrows(MigrationException.class, () -> sender().send(Kind.VOLUME, "/data", broken));
    assertEquals(FailureCode.TRANSFER_FAILED, failure.code());
    assertEquals(
        "Cannot read the volume /data to send it: Input/output error.", failure.getMessage());
    sender.close();
    assertEquals(FailureCode.PEER_UNREACHABLE, failureOf(receiving).code());
    assertEquals(1, stage.abandoned);
    assertTrue(stage.artifacts.isEmpty());
  }

  @Test
  void aBodyThatThrowsIsRethrown() throws Exception {
    CompletableFuture<Void> receiving = receiving();
    var bug = new IllegalStateException("A bug");
    assertEquals(
        bug,
        assertThrows(
            IllegalStateException.class,
            () ->
                sender()
                    .send(
                        Kind.MEMORY,
                        "",
                        artifact -> {
                          throw bug;
                        })));
    sender.close();
    failureOf(receiving);
    assertEquals(1, stage.abandoned);
  }

  @Test
  void aFullDiskReachesTheSenderAsNoRoom() throws Exception {
    stage.failure = new IOException("write: No space left on device");
    CompletableFuture<Void> receiving = receiving();
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              Sent sent = sender().send(Kind.ROOTFS, "", body(text(100)));
              sender.awaitReceived(sent);
            });
    assertEquals(FailureCode.NO_ROOM, failure.code());
    assertTrue(failure.getMessage().contains("artifact 1 (ROOTFS"), failure.getMessage());
    assertEquals(FailureCode.NO_ROOM, failureOf(receiving).code());
    assertEquals(1, stage.abandoned);
  }

  @Test
  void aReceiverThatFailsEarlyStopsALongSender() throws Exception {
    stage.failure = new IOException("Input/output error");
    CompletableFuture<Void> receiving = receiving();
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              Sent sent = sender().send(Kind.ROOTFS, "", body(random(64 << 20)));
              sender.awaitReceived(sent);
            });
    // The reset may overtake the receiver's words; the control connection repeats them.
    assertTrue(
        failure.code() == FailureCode.PEER_UNREACHABLE
            || failure.code() == FailureCode.TRANSFER_FAILED,
        failure.getMessage());
    assertEquals(FailureCode.TRANSFER_FAILED, failureOf(receiving).code());
  }

  @Test
  void anArtifactThatIsNotExpectedIsRefused() throws Exception {
    stage.refusal = new MigrationException(FailureCode.PROTOCOL, "No MEMORY expected.");
    CompletableFuture<Void> receiving = receiving();
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              Sent sent = sender().send(Kind.MEMORY, "", body(new byte[0]));
              sender.awaitReceived(sent);
            });
    assertEquals(FailureCode.PROTOCOL, failure.code());
    assertEquals(FailureCode.PROTOCOL, failureOf(receiving).code());
  }

  @Test
  void anInterruptStopsASenderThatNobodyReads() throws Exception {
    ArtifactSender unread = sender();
    var sending = new CompletableFuture<Throwable>();
    Thread thread =
        Thread.ofVirtual()
            .start(
                () ->
                    sending.complete(
                        assertThrows(
                            MigrationException.class,
                            () -> unread.send(Kind.MEMORY, "", body(random(64 << 20))))));
    while (sentBytes.get() == 0) {
      Thread.onSpinWait();
    }
    thread.interrupt();
    assertInstanceOf(MigrationException.class, sending.get());
  }

  @Test
  void aConnectionLostWithinAnArtifactIsSaid() throws Exception {
    CompletableFuture<Void> receiving = receiving();
    FrameConnection raw = sockets.dialled();
    raw.send(new Message.ArtifactBegin(1, Kind.MEMORY, ""));
    raw.sendChunk(1, false, 3, ByteBuffer.wrap(new byte[3]));
    sockets.here().close();
    assertEquals(FailureCode.PEER_UNREACHABLE, failureOf(receiving).code());
    assertEquals(1, stage.abandoned);
  }

  @Test
  void aConnectionThatEndsBetweenArtifactsIsTheEnd() throws Exception {
    CompletableFuture<Void> receiving = receiving();
    sockets.dialled();
    sockets.here().close();
    receiving.get();
  }

  /** What a peer that breaks the rules says after the beginning of artifact 1. */
  @FunctionalInterface
  private interface Lie {
    void tell(FrameConnection connection);
  }

  private static Arguments lie(String what, FailureCode code, String words, Lie lie) {
    return Arguments.of(what, code, words, lie);
  }

  static Stream<Arguments> lies() {
    byte[] bomb = Zstd.compress(new byte[4 << 20]);
    byte[] small = Zstd.compress(new byte[100]);
    String digest = "00000000000000000000000000000000";
    return Stream.of(
        lie(
            "another digest",
            FailureCode.TRANSFER_FAILED,
            "arrived damaged",
            peer -> {
              peer.sendChunk(1, false, 3, ByteBuffer.wrap(new byte[3]));
              peer.send(new Message.ArtifactEnd(1, 3, digest));
            }),
        lie(
            "another length",
            FailureCode.TRANSFER_FAILED,
            "instead of 4 bytes",
            peer -> {
              peer.sendChunk(1, false, 3, ByteBuffer.wrap(new byte[3]));
              peer.send(new Message.ArtifactEnd(1, 4, digestOf(new byte[3])));
            }),
        lie(
            "end of another artifact",
            FailureCode.TRANSFER_FAILED,
            "arrived damaged",
            peer -> peer.send(new Message.ArtifactEnd(2, 0, digestOf(new byte[0])))),
        lie(
            "bomb",
            FailureCode.TRANSFER_FAILED,
            "cannot be decompressed",
            peer -> peer.sendChunk(1, true, 100, ByteBuffer.wrap(bomb))),
        lie(
            "less than promised",
            FailureCode.TRANSFER_FAILED,
            "100 bytes instead of 200",
            peer -> peer.sendChunk(1, true, 200, ByteBuffer.wrap(small))),
        lie(
            "no zstd",
            FailureCode.TRANSFER_FAILED,
            "cannot be decompressed",
            peer -> peer.sendChunk(1, true, 200, ByteBuffer.wrap(random(50)))),
        lie(
            "chunk of another artifact",
            FailureCode.PROTOCOL,
            "artifact 2 within artifact 1",
            peer -> peer.sendChunk(2, false, 3, ByteBuffer.wrap(new byte[3]))),
        lie(
            "artifact within an artifact",
            FailureCode.PROTOCOL,
            "Unexpected ArtifactBegin",
            peer -> peer.send(new Message.ArtifactBegin(2, Kind.LOG, "@0"))),
        lie(
            "commit within an artifact",
            FailureCode.PROTOCOL,
            "Unexpected Commit",
            peer -> peer.send(new Message.Commit())));
  }

  private static String digestOf(byte[] bytes) {
    var digest = new Digest();
    digest.update(bytes, 0, bytes.length);
    return digest.hex();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("lies")
  void aLiarIsToldSo(String what, FailureCode code, String words, Lie lie) throws Exception {
    CompletableFuture<Void> receiving = receiving();
    FrameConnection raw = sockets.dialled();
    raw.send(new Message.ArtifactBegin(1, Kind.MEMORY, ""));
    lie.tell(raw);
    var told = assertInstanceOf(Message.Refused.class, raw.receive());
    assertEquals(code, told.code());
    assertTrue(told.message().contains(words), told.message());
    assertEquals(code, failureOf(receiving).code());
    assertEquals(1, stage.abandoned);
    assertTrue(stage.artifacts.isEmpty());
    assertFalse(stage.digests.contains(digestOf(new byte[3])));
  }

  private static MigrationException failureOf(CompletableFuture<Void> receiving) {
    var thrown = assertThrows(ExecutionException.class, receiving::get);
    return assertInstanceOf(MigrationException.class, thrown.getCause());
  }

  @Test
  void acknowledgementOfAnotherArtifactIsAProtocolError() throws Exception {
    Sent sent = sender().send(Kind.LOG, "@0", body(new byte[0]));
    sockets.accepted().send(new Message.Received(7));
    var failure = assertThrows(MigrationException.class, () -> sender.awaitReceived(sent));
    assertEquals(FailureCode.PROTOCOL, failure.code());
  }
}

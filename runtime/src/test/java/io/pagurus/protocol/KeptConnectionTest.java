package io.pagurus.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection.Incoming;
import io.pagurus.protocol.Message.Continued;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Connections that outlive their links, over real sockets. */
@Timeout(30)
final class KeptConnectionTest {
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final int HEADER_BYTES = Frame.HEADER_BYTES + Integer.BYTES;

  private final List<Socket> sockets = new ArrayList<>();
  private final AtomicInteger rescues = new AtomicInteger();
  private ServerSocket server;
  private FrameConnection source;
  private FrameConnection destination;

  /** Both ends of a new link. */
  private record Pair(FrameConnection source, FrameConnection destination) {}

  @BeforeEach
  void connect() throws IOException {
    server = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
    Pair first = pair();
    source = first.source();
    destination = first.destination();
    source.keep(this::reconnect);
    destination.keep(
        (connection, how) -> {
          if (!connection.awaitLink(LIMIT)) {
            throw how;
          }
        });
  }

  @AfterEach
  void disconnect() throws IOException {
    for (Socket socket : sockets) {
      socket.close();
    }
    server.close();
  }

  private synchronized Pair pair() {
    try {
      Socket here = new Socket(InetAddress.getLoopbackAddress(), server.getLocalPort());
      Socket there = server.accept();
      sockets.addAll(List.of(here, there));
      return new Pair(
          FrameConnection.dialled(here.getInputStream(), here.getOutputStream()),
          FrameConnection.accepted(there.getInputStream(), there.getOutputStream()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What the runtimes do with proofs around it. */
  private void reconnect(FrameConnection connection, MigrationException how) {
    for (boolean back = false; !back; rescues.incrementAndGet()) {
      try {
        Pair fresh = pair();
        destination.adopt(
            fresh.destination(),
            connection.held().frames(),
            held -> Optional.of(new Continued(held.frames(), held.artifact(), held.bytes())));
        Continued there = fresh.source().expect(Continued.class);
        connection.adopt(fresh.source(), there.heard(), held -> Optional.empty());
        back = true;
      } catch (MigrationException e) {
        // Cut again already.
        assertEquals(FailureCode.PEER_UNREACHABLE, e.code(), e.getMessage());
      }
    }
  }

  private static ByteBuffer bytes(int number, int length) {
    byte[] bytes = new byte[length];
    new Random(number).nextBytes(bytes);
    return ByteBuffer.wrap(bytes);
  }

  private void expectChunk(int number, int length) {
    var chunk = (Incoming.Chunk) destination.read();
    assertEquals(number, chunk.artifact());
    assertEquals(bytes(number, length), chunk.bytes());
  }

  @Test
  void whatTheOtherSideHasNotHeardTravelsAgainAndNothingElse() {
    Ear ear = Ear.on(source, "test", message -> false);
    for (int number = 1; number <= 8; number++) {
      source.sendChunk(number, false, 1000, bytes(number, 1000));
    }
    for (int number = 1; number <= 5; number++) {
      expectChunk(number, 1000);
    }
    destination.drop();
    for (int number = 6; number <= 8; number++) {
      expectChunk(number, 1000);
    }
    assertEquals(1, rescues.get());
    assertEquals(3L * (1000 + HEADER_BYTES), source.bytesSentAgain());
    assertEquals(8, destination.held().frames());
    ear.close();
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void whateverIsCutEachFrameArrivesOnceAndInOrder(long seed) throws InterruptedException {
    int frames = 120;
    Ear ear = Ear.on(source, "test", message -> false);
    Thread sending =
        Thread.ofVirtual()
            .start(
                () -> {
                  Random random = new Random(seed);
                  for (int number = 1; number <= frames; number++) {
                    int length = random.nextInt(1, 300_000);
                    source.sendChunk(number, false, length, bytes(number, length));
                    source.sayAlive();
                  }
                });
    Random lengths = new Random(seed);
    Random cuts = new Random(~seed);
    long sum = 0;
    for (int number = 1; number <= frames; number++) {
      int length = lengths.nextInt(1, 300_000);
      sum += length;
      Incoming next = destination.read();
      while (next instanceof Incoming.Said) {
        next = destination.read();
      }
      var chunk = (Incoming.Chunk) next;
      assertEquals(number, chunk.artifact());
      assertEquals(bytes(number, length), chunk.bytes());
      if (cuts.nextInt(10) == 0) {
        (cuts.nextBoolean() ? source : destination).drop();
      }
      destination.send(new Message.Received(number));
    }
    for (int number = 1; number <= frames; number++) {
      assertEquals(number, ear.expect(Message.Received.class, LIMIT).number());
    }
    sending.join();
    assertTrue(rescues.get() > 3, () -> rescues.get() + " cuts");
    long most = (long) rescues.get() * (Unacknowledged.WINDOW_BYTES + 300_000);
    assertTrue(source.bytesSentAgain() <= most, () -> source.bytesSentAgain() + " bytes again");
    long others = frames * 100L + rescues.get() * 1000L;
    assertTrue(source.bytesSent() <= sum + source.bytesSentAgain() + others);
    ear.close();
  }

  /** Twice as much as the window takes, on a thread of its own. */
  private Thread sendEight(int length, AtomicInteger sent) {
    return Thread.ofVirtual()
        .start(
            () -> {
              for (int number = 1; number <= 8; number++) {
                source.sendChunk(number, false, length, bytes(number, length));
                sent.incrementAndGet();
              }
            });
  }

  @Test
  void noMoreThanTheWindowIsOnItsWay() throws InterruptedException {
    Ear ear = Ear.on(source, "test", message -> false);
    int length = 1 << 20;
    AtomicInteger sent = new AtomicInteger();
    Thread sending = sendEight(length, sent);
    source.drop();
    destination.drop();
    for (int number = 1; number <= 8; number++) {
      expectChunk(number, length);
      assertTrue(sent.get() <= number + Unacknowledged.WINDOW_BYTES / length + 1);
    }
    sending.join();
    ear.close();
  }

  @Test
  void whoWaitsForRoomLearnsThatThereWillBeNone() throws InterruptedException {
    source.release();
    source.keep(
        (connection, how) -> {
          throw new MigrationException(FailureCode.PEER_UNREACHABLE, "Nobody is there.");
        });
    Ear ear = Ear.on(source, "test", message -> false);
    destination.close();
    var failure =
        assertThrows(
            MigrationException.class,
            () -> {
              for (int number = 1; number <= 8; number++) {
                source.sendChunk(number, false, 1 << 20, bytes(number, 1 << 20));
              }
            });
    assertEquals("Nobody is there.", failure.getMessage());
    assertEquals(
        "Nobody is there.",
        assertThrows(MigrationException.class, () -> ear.expect(Message.Received.class, LIMIT))
            .getMessage());
    ear.close();
  }

  @Test
  void aReleasedConnectionEndsWithItsLink() {
    source.release();
    destination.release();
    destination.drop();
    assertTrue(destination.open());
    destination.close();
    assertThrows(MigrationException.class, source::receive);
    Pair fresh = pair();
    var refused =
        assertThrows(
            MigrationException.class,
            () -> destination.adopt(fresh.destination(), 0, held -> Optional.empty()));
    assertEquals(FailureCode.NOT_FOUND, refused.code());
    assertFalse(destination.awaitLink(LIMIT));
  }

  @Test
  void whoLetGoOfItStillMakesRoomForWhoHasNot() throws InterruptedException {
    Ear ear = Ear.on(source, "test", message -> false);
    destination.release();
    int length = 1 << 20;
    Thread sending = sendEight(length, new AtomicInteger());
    for (int number = 1; number <= 8; number++) {
      expectChunk(number, length);
    }
    assertTrue(sending.join(LIMIT));
    ear.close();
  }

  @Test
  void nobodyHasHeardWhatWasNotSaid() {
    source.send(new Message.Commit());
    Pair fresh = pair();
    var refused =
        assertThrows(
            MigrationException.class,
            () -> source.adopt(fresh.source(), 2, held -> Optional.empty()));
    assertEquals(FailureCode.PROTOCOL, refused.code());
  }
}

package io.pagurus.criu;

import static io.pagurus.criu.PagemapEntry.PAGE_BYTES;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(20)
class PageServerTest {
  /** Every page carries its pid and address, eight bytes each; writes page by page, as a store. */
  private static final PageSource SOURCE =
      (pid, address, pages, out) -> {
        for (int page = 0; page < pages; page++) {
          ByteBuffer bytes = ByteBuffer.allocate(PAGE_BYTES);
          bytes.putLong(pid).putLong(address + (long) page * PAGE_BYTES).rewind();
          out.write(bytes);
        }
      };

  /** What {@code criu lazy-pages} is on the wire. */
  private static final class LazyClient implements AutoCloseable {
    private final Socket socket;
    private final DataInputStream in;

    LazyClient(PageServer server) throws IOException {
      socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
      in = new DataInputStream(socket.getInputStream());
    }

    void send(int command, long pages, long address, long destination) throws IOException {
      socket
          .getOutputStream()
          .write(
              ByteBuffer.allocate(32)
                  .order(ByteOrder.LITTLE_ENDIAN)
                  .putInt(command)
                  .putInt(0)
                  .putLong(pages)
                  .putLong(address)
                  .putLong(destination)
                  .array());
    }

    void expect(int pages, long address, int pid) throws IOException {
      byte[] expected =
          ByteBuffer.allocate(32)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putInt(0x4_0006)
              .putInt(0)
              .putLong(pages)
              .putLong(address)
              .putLong(pid)
              .array();
      assertArrayEquals(expected, in.readNBytes(32));
      for (int page = 0; page < pages; page++) {
        byte[] bytes = in.readNBytes(PAGE_BYTES);
        assertEquals(PAGE_BYTES, bytes.length);
        assertEquals(pid, ByteBuffer.wrap(bytes).getLong());
        assertEquals(address + (long) page * PAGE_BYTES, ByteBuffer.wrap(bytes).getLong(8));
      }
    }

    void takeLeave() throws IOException {
      send(0x1023, 0, 0, 0);
      assertEquals(0, in.readInt());
    }

    @Override
    public void close() throws IOException {
      socket.close();
    }
  }

  @Test
  void faultsAndBackgroundRequestsAreAnsweredInOrder() throws Exception {
    try (PageServer server = PageServer.start(SOURCE);
        LazyClient client = new LazyClient(server)) {
      client.send(7, 1024, 0x7fff_0000_0000L, 43);
      client.send(7, 1, 0x1000, 44);
      client.send(7, 3, 0x7fff_0000_0000L, 43);
      client.expect(1024, 0x7fff_0000_0000L, 43);
      client.expect(1, 0x1000, 44);
      client.expect(3, 0x7fff_0000_0000L, 43);
      client.takeLeave();

      PageServer.Served served = server.await();
      assertEquals(3, served.requests());
      assertEquals(1028, served.pages());
      assertTrue(served.duration().isPositive());
    }
  }

  @Test
  void theAnswerToAGetIsWhatCriuExpectsByteForByte() throws Exception {
    try (PageServer server = PageServer.start(SOURCE);
        LazyClient client = new LazyClient(server)) {
      client
          .socket
          .getOutputStream()
          .write(Hex.bytes("07000000 00000000 0100000000000000 00b0adde00000000 2b00000000000000"));
      assertArrayEquals(
          Hex.bytes("06000400 00000000 0100000000000000 00b0adde00000000 2b00000000000000"),
          client.in.readNBytes(32));
      client.in.skipNBytes(PAGE_BYTES);
      client.takeLeave();
      server.await();
    }
  }

  @Test
  void aRequestMayArriveInPieces() throws Exception {
    try (PageServer server = PageServer.start(SOURCE);
        LazyClient client = new LazyClient(server)) {
      client.socket.setTcpNoDelay(true);
      byte[] request =
          Hex.bytes("07000000 00000000 0100000000000000 0010000000000000 2b00000000000000");
      for (byte piece : request) {
        client.socket.getOutputStream().write(piece);
      }
      client.expect(1, 0x1000, 43);
      client.takeLeave();
      assertEquals(1, server.await().pages());
    }
  }

  @Test
  void aClientThatVanishesIsAFailure() throws Exception {
    try (PageServer server = PageServer.start(SOURCE)) {
      try (LazyClient client = new LazyClient(server)) {
        client.send(7, 1, 0x1000, 43);
        client.expect(1, 0x1000, 43);
      }
      IOException failure = assertThrows(IOException.class, server::await);
      assertInstanceOf(EOFException.class, failure.getCause());
      assertEquals(1, server.served().requests());
    }
  }

  @Test
  void malformedRequestsAreTypedFailures() throws Exception {
    assertRefused(6 | 4 << 16, 1, 0x1000, 43); // pages pushed at us
    assertRefused(7, 0, 0x1000, 43);
    assertRefused(7, 1L << 40, 0x1000, 43);
    assertRefused(7, -1, 0x1000, 43);
    assertRefused(7, 1, 0x1001, 43);
    assertRefused(7, 1, -4096, 43);
    assertRefused(7, 1, 0x1000, 0);
    assertRefused(7, 1, 0x1000, 1L << 32 | 43);
  }

  private static void assertRefused(int command, long pages, long address, long destination)
      throws Exception {
    PageSource nobody =
        (pid, at, count, out) -> {
          throw new AssertionError("asked for " + at);
        };
    try (PageServer server = PageServer.start(nobody);
        LazyClient client = new LazyClient(server)) {
      client.send(command, pages, address, destination);
      IOException failure = assertThrows(IOException.class, server::await);
      assertInstanceOf(CriuFormatException.class, failure.getCause());
      assertEquals(-1, client.in.read());
    }
  }

  @Test
  void aSourceThatFailsOrMiscountsCutsTheConnection() throws Exception {
    assertCut(
        (pid, address, pages, out) -> {
          throw new IOException("link lost");
        });
    assertCut((pid, address, pages, out) -> out.write(ByteBuffer.allocate(PAGE_BYTES)));
    assertCut((pid, address, pages, out) -> out.write(ByteBuffer.allocate(3 * PAGE_BYTES)));
    assertCut(
        (pid, address, pages, out) -> {
          throw new IllegalStateException("a bug");
        });
  }

  private static void assertCut(PageSource source) throws Exception {
    try (PageServer server = PageServer.start(source);
        LazyClient client = new LazyClient(server)) {
      client.send(7, 2, 0x1000, 43);
      assertThrows(IOException.class, server::await);
      assertEquals(-1, client.in.read());
    }
  }

  @Test
  void onlyOneClientIsServed() throws Exception {
    try (PageServer server = PageServer.start(SOURCE);
        LazyClient client = new LazyClient(server)) {
      client.send(7, 1, 0x1000, 43);
      client.expect(1, 0x1000, 43);
      assertThrows(IOException.class, () -> new LazyClient(server).close());
      client.takeLeave();
      server.await();
    }
  }

  @Test
  void closingBeforeAnybodyCameIsAFailure() throws Exception {
    PageServer server = PageServer.start(SOURCE);
    server.close();
    assertThrows(ExecutionException.class, () -> server.completion().get());
  }

  @Test
  void closingInterruptsASourceThatWaitsForAPage() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    PageSource waiting =
        (pid, address, pages, out) -> {
          asked.countDown();
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException interrupt) {
            throw new IOException("interrupted", interrupt);
          }
        };
    PageServer server = PageServer.start(waiting);
    try (LazyClient client = new LazyClient(server)) {
      client.send(7, 1, 0x1000, 43);
      assertTrue(asked.await(10, TimeUnit.SECONDS));
      server.close();
      assertTrue(server.completion().isCompletedExceptionally());
    }
  }
}

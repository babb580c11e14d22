package io.pagurus.protocol;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.FrameConnection.Incoming;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class FrameConnectionTest {
  private static final HexFormat HEX = HexFormat.of();

  @Test
  void aMessageHasTheseBytes() throws IOException {
    var out = new ByteArrayOutputStream();
    FrameConnection.dialled(new ByteArrayInputStream(new byte[0]), out).send(new Message.Commit());
    assertEquals(
        "50475253" // magic
            + "01" // message
            + "00" // flags
            + "0000" // reserved
            + "00000000" // artifact
            + "00000011" // length
            + HEX.formatHex("{\"type\":\"commit\"}".getBytes(UTF_8)),
        HEX.formatHex(out.toByteArray()));
  }

  @Test
  void aChunkHasTheseBytes() throws IOException {
    var out = new ByteArrayOutputStream();
    FrameConnection connection =
        FrameConnection.dialled(new ByteArrayInputStream(new byte[0]), out);
    connection.sendChunk(0x01020304, true, 0x10000, ByteBuffer.wrap(new byte[] {7, 8, 9}, 1, 2));
    assertEquals(
        "50475253" + "02" + "01" + "0000" + "01020304" + "00000006" + "00010000" + "0809",
        HEX.formatHex(out.toByteArray()));
    assertEquals(out.size() - 4, connection.bytesSent());
  }

  @Test
  void chunksArriveAsTheyWereSent() throws IOException {
    var out = new ByteArrayOutputStream();
    FrameConnection sender = FrameConnection.dialled(new ByteArrayInputStream(new byte[0]), out);
    byte[] large = new byte[Frame.MAX_CHUNK];
    new Random(1).nextBytes(large);
    sender.sendChunk(7, false, large.length, ByteBuffer.wrap(large));
    sender.sendChunk(7, true, 1 << 20, ByteBuffer.wrap(large, 5, 10));
    sender.sendChunk(7, false, 0, ByteBuffer.allocate(0));
    FrameConnection receiver = accepted(Arrays.copyOfRange(out.toByteArray(), 4, out.size()));

    var first = assertInstanceOf(Incoming.Chunk.class, receiver.read());
    assertEquals(7, first.artifact());
    assertFalse(first.compressed());
    byte[] received = new byte[first.bytes().remaining()];
    first.bytes().get(received);
    assertArrayEquals(large, received);

    var second = assertInstanceOf(Incoming.Chunk.class, receiver.read());
    assertTrue(second.compressed());
    assertEquals(1 << 20, second.rawLength());
    assertEquals(10, second.bytes().remaining());
    assertEquals(large[5], second.bytes().get());

    assertEquals(0, assertInstanceOf(Incoming.Chunk.class, receiver.read()).rawLength());
  }

  @Test
  void aConnectionBeginsWithTheMagic() {
    var http = new ByteArrayInputStream("GET / HTTP/1.1\r\n\r\n".getBytes(UTF_8));
    var failure =
        assertThrows(
            MigrationException.class,
            () -> FrameConnection.accepted(http, OutputStream.nullOutputStream()));
    assertEquals(FailureCode.PROTOCOL, failure.code());
  }

  @ParameterizedTest
  @CsvSource({
    "kind 0,              00 00 0000 00000000 00000000",
    "kind 3,              03 00 0000 00000000 00000000",
    "kind 255,            ff 00 0000 00000000 00000000",
    "unknown flag,        02 02 0000 00000001 00000004 00000000",
    "compressed message,  01 01 0000 00000000 00000011 7b2274797065223a22636f6d6d6974227d",
    "numbered message,    01 00 0000 00000005 00000011 7b2274797065223a22636f6d6d6974227d",
    "reserved not 0,      01 00 0001 00000000 00000011 7b2274797065223a22636f6d6d6974227d",
    "length 2^32-1,       02 00 0000 00000001 ffffffff",
    "length 2^31,         02 00 0000 00000001 80000000",
    "one byte too long,   02 00 0000 00000001 00400041",
    "chunk of 0 bytes,    02 00 0000 00000001 00000000",
    "chunk of 3 bytes,    02 00 0000 00000001 00000003 000000",
    "raw length too long, 02 01 0000 00000001 00000005 00400001 00",
    "raw length 2^32-1,   02 01 0000 00000001 00000005 ffffffff 00",
    "raw length lies,     02 00 0000 00000001 00000006 00000003 0000",
    "raw length lies on,  02 00 0000 00000001 00000006 00000001 0000"
  })
  void malformedFramesAreProtocolErrors(String what, String hex) throws IOException {
    FrameConnection connection = accepted(bytes(hex));
    var failure = assertThrows(MigrationException.class, connection::read, what);
    assertEquals(FailureCode.PROTOCOL, failure.code(), what);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "null",
        "7",
        "[]",
        "{}",
        "{",
        "{\"type\":\"commit\"} and more",
        "{\"type\":\"format_disk\"}",
        "{\"type\":\"java.lang.Runtime\"}",
        "{\"type\":null}",
        "{\"type\":\"hello\",\"version\":1}",
        "{\"type\":\"hello\",\"version\":1,\"role\":\"king\",\"migration\":\"m\",\"ticket\":\"\",\"nonce\":\"\"}",
        "{\"type\":\"received\",\"number\":\"many\"}",
        "{\"type\":\"prepare\",\"plan\":null}",
        "{\"type\":\"seal\",\"digests\":{\"x\":\"\"}}",
      })
  void malformedMessagesAreProtocolErrors(String json) throws IOException {
    FrameConnection connection = accepted(message(json.getBytes(UTF_8)));
    var failure = assertThrows(MigrationException.class, connection::receive);
    assertEquals(FailureCode.PROTOCOL, failure.code(), failure.getMessage());
  }

  @Test
  void deepNestingIsAProtocolError() throws IOException {
    String json = "{\"type\":\"check\",\"plan\":" + "{\"inspect\":".repeat(50_000);
    FrameConnection connection = accepted(message(json.getBytes(UTF_8)));
    assertEquals(
        FailureCode.PROTOCOL, assertThrows(MigrationException.class, connection::receive).code());
  }

  @Test
  void theErrorQuotesNoControlCharacters() throws IOException {
    FrameConnection connection = accepted(message("\u001b[2J\r\nOwned".getBytes(UTF_8)));
    var failure = assertThrows(MigrationException.class, connection::receive);
    assertTrue(failure.getMessage().contains(".[2J..Owned"), failure.getMessage());
  }

  @Test
  void unknownFieldsAreIgnored() throws IOException {
    String json = "{\"type\":\"received\",\"number\":7,\"colour\":{\"of\":[\"sky\"]}}";
    assertEquals(new Message.Received(7), accepted(message(json.getBytes(UTF_8))).receive());
  }

  @Test
  void everyTruncationIsALostConnection() throws IOException {
    byte[] whole = message("{\"type\":\"received\",\"number\":7}".getBytes(UTF_8));
    for (int length = 0; length < whole.length; length++) {
      FrameConnection connection = accepted(Arrays.copyOf(whole, length));
      var failure = assertThrows(MigrationException.class, connection::read);
      assertEquals(FailureCode.PEER_UNREACHABLE, failure.code(), "after " + length + " bytes");
      assertTrue(failure.getMessage().contains("closed by the peer"), failure.getMessage());
    }
  }

  @Test
  void garbageNeverEscapesAsAnotherError() throws IOException {
    var random = new Random(42);
    for (int round = 0; round < 2_000; round++) {
      byte[] garbage = new byte[random.nextInt(200)];
      random.nextBytes(garbage);
      if (garbage.length > 12) {
        // Half of the rounds get past the header.
        System.arraycopy(
            ByteBuffer.allocate(12).put((byte) (1 + round % 2)).putInt(8, round % 90).array(),
            0,
            garbage,
            0,
            round % 4 < 2 ? 12 : 0);
      }
      FrameConnection connection = accepted(garbage);
      assertThrows(
          MigrationException.class,
          () -> {
            while (true) {
              connection.read();
            }
          });
    }
  }

  @Test
  void aRefusalIsThrownAsThePeerMeantIt() throws IOException {
    var failure = expectCommitBut(new Message.Refused(FailureCode.NO_ROOM, "Full."));
    assertEquals(FailureCode.NO_ROOM, failure.code());
    assertEquals("Full.", failure.getMessage());
  }

  @Test
  void anotherMessageThanExpectedNamesBoth() throws IOException {
    var failure = expectCommitBut(new Message.Query());
    assertEquals(FailureCode.PROTOCOL, failure.code());
    assertEquals("The peer said Query where Commit was expected.", failure.getMessage());
  }

  @Test
  void anAbortIsThrownAndRemembered() throws IOException {
    FrameConnection connection =
        accepted(sent(new Message.Aborted(FailureCode.RESTORE_FAILED, "No.")));
    assertFalse(connection.peerAborted());
    var failure =
        assertThrows(MigrationException.class, () -> connection.expect(Message.Restored.class));
    assertEquals(FailureCode.RESTORE_FAILED, failure.code());
    assertTrue(connection.peerAborted());
  }

  @Test
  void aChunkWhereAMessageIsExpectedIsAProtocolError() throws IOException {
    FrameConnection connection = accepted(bytes("02 00 0000 00000009 00000005 00000001 00"));
    var failure = assertThrows(MigrationException.class, connection::receive);
    assertEquals(FailureCode.PROTOCOL, failure.code());
    assertEquals("Unexpected chunk of artifact 9.", failure.getMessage());
  }

  @Test
  void aBrokenPipeIsALostConnection() throws IOException {
    var broken =
        new OutputStream() {
          private int left = 4; // the magic

          @Override
          public void write(int b) throws IOException {
            if (left-- <= 0) {
              throw new IOException("Broken pipe");
            }
          }
        };
    FrameConnection connection =
        FrameConnection.dialled(new ByteArrayInputStream(new byte[0]), broken);
    var failure =
        assertThrows(MigrationException.class, () -> connection.send(new Message.Commit()));
    assertEquals(FailureCode.PEER_UNREACHABLE, failure.code());
    assertTrue(failure.getMessage().contains("Broken pipe"), failure.getMessage());
  }

  private static MigrationException expectCommitBut(Message said) throws IOException {
    FrameConnection connection = accepted(sent(said));
    return assertThrows(MigrationException.class, () -> connection.expect(Message.Commit.class));
  }

  private static byte[] sent(Message message) throws IOException {
    var out = new ByteArrayOutputStream();
    FrameConnection.dialled(new ByteArrayInputStream(new byte[0]), out).send(message);
    byte[] all = out.toByteArray();
    return Arrays.copyOfRange(all, 4, all.length);
  }

  private static byte[] message(byte[] json) {
    return ByteBuffer.allocate(12 + json.length)
        .put((byte) 1)
        .putInt(8, json.length)
        .position(12)
        .put(json)
        .array();
  }

  private static byte[] bytes(String hex) {
    return HEX.parseHex(hex.replaceAll("\\s", ""));
  }

  private static FrameConnection accepted(byte[] afterMagic) throws IOException {
    byte[] all =
        ByteBuffer.allocate(4 + afterMagic.length).putInt(Frame.MAGIC).put(afterMagic).array();
    return FrameConnection.accepted(new ByteArrayInputStream(all), OutputStream.nullOutputStream());
  }
}

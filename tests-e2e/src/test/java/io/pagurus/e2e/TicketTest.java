package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;

/** Whoever has no good ticket brings nothing; the service runs on where it was. */
class TicketTest extends BetweenTwo {
  private static final String PREFIX = "pagurus1.";
  private static final int FINGERPRINT = 32;
  private static final int ID = 8;
  private static final int SECRET = 32;

  /** What follows the secret in a ticket for any service: expiry, empty name, checksum. */
  private static final int AFTER_SECRET = Long.BYTES + Short.BYTES + Integer.BYTES;

  @Test
  void badTicketsAreRefusedAndTheServiceRunsOn() {
    python("counter", "counter.py");
    String used = b.ticket();
    String expired = b.ticket("--valid-for", "1s");
    assertEquals(0, a.tryMigrate("counter", used).exitCode());
    assertEquals(0, b.tryMigrate("counter", a.ticket()).exitCode());
    Command again = a.tryMigrate("counter", used);
    assertEquals(6, again.exitCode(), again.err());
    assertTrue(again.err().contains("used"), again.err());
    Command late = a.tryMigrate("counter", expired);
    assertEquals(6, late.exitCode(), late.err());
    assertTrue(late.err().contains("expired"), late.err());
    Command wrong = a.tryMigrate("counter", "pagurus1.nonsense");
    assertNotEquals(0, wrong.exitCode());
    Command itself = a.tryMigrate("counter", a.ticket());
    assertEquals(4, itself.exitCode(), itself.err());
    Command unknown = a.tryMigrate("nobody", b.ticket());
    assertEquals(3, unknown.exitCode(), unknown.err());
    assertCountsOn(a, "counter");
  }

  @Test
  void alteredSecretIsRefusedByTheDestination() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    long pid = pid(a, "counter");
    String good = b.ticket();
    assertUnauthorized(altered(good, AFTER_SECRET + SECRET), "its secret is wrong");
    assertEquals(pid, pid(a, "counter"));
    assertCountsOn(a, "counter");
    assertEquals("", b.docker("ps", "-aq").ok());
    assertCompleted(OuterContainer.json(a.tryMigrate("counter", good).ok()));
  }

  @Test
  void fingerprintOfAnotherRuntimeIsRefusedByTheSource() {
    python("counter", "counter.py");
    awaitLog(a, "counter", 5);
    long pid = pid(a, "counter");
    int fromEnd = AFTER_SECRET + SECRET + ID + FINGERPRINT;
    assertUnauthorized(altered(b.ticket(), fromEnd), "another certificate than the ticket names");
    assertEquals(pid, pid(a, "counter"));
    assertCountsOn(a, "counter");
    assertEquals("", b.docker("ps", "-aq").ok());
  }

  private static void assertUnauthorized(String ticket, String why) {
    Command refused = a.tryMigrate("counter", ticket);
    assertEquals(6, refused.exitCode(), refused.err());
    assertTrue(refused.err().contains(why), refused.err());
    JsonNode report = OuterContainer.json(refused.out());
    assertEquals("failed", report.path("outcome").asText(), refused.out());
    assertEquals("UNAUTHORIZED", report.path("error").path("code").asText(), refused.out());
  }

  /**
   * A well-formed ticket of which one byte differs.
   *
   * @param fromEnd of the byte
   */
  private static String altered(String ticket, int fromEnd) {
    byte[] bytes = Base64.getUrlDecoder().decode(ticket.substring(PREFIX.length()));
    bytes[bytes.length - fromEnd] ^= 1;
    var crc = new CRC32();
    crc.update(bytes, 0, bytes.length - Integer.BYTES);
    ByteBuffer.wrap(bytes).putInt(bytes.length - Integer.BYTES, (int) crc.getValue());
    return PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }
}

package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TicketTest {
  private final Ticket ticket =
      new Ticket(
          List.of("192.0.2.7:7070", "[2001:db8::7]:7071", "host.example:1"),
          "ab".repeat(32),
          "0123456789abcdef",
          Secret.random(),
          Instant.parse("2031-01-01T00:00:00Z"),
          Optional.of("wéb"));

  @Test
  void textFormKeepsEverything() {
    assertEquals(ticket, Ticket.parse(ticket.text()));
    assertEquals(ticket, Ticket.parse("  " + ticket.text() + "\n"));
  }

  @Test
  void textFormIsOneLineOfHarmlessCharacters() {
    assertTrue(ticket.text().matches("pagurus1\\.[A-Za-z0-9_-]+"));
  }

  @Test
  void everyShortenedTextIsRefused() {
    String text = ticket.text();
    for (int length = 0; length < text.length(); length++) {
      String shortened = text.substring(0, length);
      assertEquals(
          FailureCode.USAGE,
          assertThrows(MigrationException.class, () -> Ticket.parse(shortened)).code());
    }
  }

  @Test
  void everyFlippedBitIsRefused() {
    byte[] bytes = Base64.getUrlDecoder().decode(ticket.text().substring("pagurus1.".length()));
    for (int bit = 0; bit < bytes.length * 8; bit++) {
      byte[] flipped = bytes.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      String text = "pagurus1." + Base64.getUrlEncoder().withoutPadding().encodeToString(flipped);
      assertThrows(MigrationException.class, () -> Ticket.parse(text));
    }
  }

  @Test
  void newerVersionSaysSo() {
    var failure = assertThrows(MigrationException.class, () -> Ticket.parse("pagurus2.AAAA"));
    assertTrue(failure.getMessage().contains("newer"), failure.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "web", "pagurus1", "pagurus1.", "pagurus1.!!", "pagurus1.AAAA"})
  void textThatIsNoTicketSaysWhereToGetOne(String text) {
    var failure = assertThrows(MigrationException.class, () -> Ticket.parse(text));
    assertTrue(failure.getMessage().contains("pagurus ticket"), failure.getMessage());
  }

  @Test
  void stringFormHidesTheSecret() {
    String secret = HexFormat.of().formatHex(ticket.secret().bytes());
    assertFalse(ticket.toString().contains(secret));
    assertEquals("***", ticket.secret().toString());
    assertFalse(ticket.toString().contains("secret"), ticket.toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "host", "host:", ":7070", "host:0", "host:65536", "2001:db8::7:70", "a b:1 "})
  void malformedAddressesAreRefused(String address) {
    assertEquals(
        FailureCode.USAGE,
        assertThrows(MigrationException.class, () -> Addresses.parse(address)).code());
  }
}

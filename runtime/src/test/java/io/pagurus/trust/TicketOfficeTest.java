package io.pagurus.trust;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Caller;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

final class TicketOfficeTest {
  private static final String FINGERPRINT = "cd".repeat(32);
  private static final List<String> ADDRESSES = List.of("192.0.2.7:7070");
  private static final Caller ANYBODY = Caller.anonymous("192.0.2.8:50000");

  @TempDir private Path directory;
  private Instant now = Instant.parse("2030-01-01T00:00:00Z");
  private TicketOffice office;
  private final byte[] serverNonce = Proof.nonce();
  private final byte[] clientNonce = Proof.nonce();

  @BeforeEach
  void open() {
    office = open(directory);
  }

  private TicketOffice open(Path state) {
    return new TicketOffice(state, FINGERPRINT, () -> now);
  }

  private Ticket issue() {
    return office.issue(Duration.ofMinutes(15), Optional.empty(), ADDRESSES);
  }

  private void check(Ticket ticket, String service) {
    byte[] proof = Proof.of(ticket, serverNonce, clientNonce);
    office.check(ticket.id(), serverNonce, clientNonce, proof, service, ANYBODY);
  }

  private static void refused(String why, Executable attempt) {
    var failure = assertThrows(MigrationException.class, attempt);
    assertEquals(FailureCode.UNAUTHORIZED, failure.code());
    assertTrue(failure.getMessage().contains(why), failure.getMessage());
    assertTrue(failure.getMessage().contains("pagurus ticket"), failure.getMessage());
  }

  @Test
  void rightProofPassesAsOftenAsAsked() {
    Ticket ticket = issue();
    check(ticket, "web");
    check(ticket, "web");
  }

  @Test
  void consumedTicketIsCalledUsed() {
    Ticket ticket = issue();
    check(ticket, "web");
    office.consume(ticket.id());
    refused("used already", () -> check(ticket, "web"));
    refused("used already", () -> office.consume(ticket.id()));
  }

  private void checkFrom(Caller caller, Ticket ticket) {
    byte[] proof = Proof.of(ticket, serverNonce, clientNonce);
    office.check(ticket.id(), serverNonce, clientNonce, proof, "web", caller);
  }

  private static Caller caller(String fingerprint, String doubt, String... names) {
    return new Caller(
        "192.0.2.8:50000", Optional.of(new Caller.Certificate(fingerprint, Set.of(names), doubt)));
  }

  @Test
  void ticketForOneSourceIsOnlyForItsCertificate() {
    String source = "ab".repeat(32);
    Ticket ticket =
        office.issue(Duration.ofMinutes(15), Optional.empty(), Optional.of(source), ADDRESSES);
    checkFrom(caller(source, "no authority is configured here"), ticket);
    refused("shows no certificate", () -> checkFrom(ANYBODY, ticket));
    refused("shows the certificate cdcd", () -> checkFrom(caller("cd".repeat(32), "none"), ticket));
  }

  @Test
  void ticketForANameNeedsAnAuthorityThatVouches() throws Exception {
    var failure =
        assertThrows(
            MigrationException.class,
            () ->
                office.issue(
                    Duration.ofMinutes(15), Optional.empty(), Optional.of("a"), ADDRESSES));
    assertEquals(FailureCode.USAGE, failure.code());
    Identity certified =
        Identity.loadOrCreate(directory.resolve("certified"))
            .with(new TestAuthority("ours").issue(directory.resolve("tls"), "b.example"));
    office = new TicketOffice(directory, certified, () -> now);
    Ticket ticket =
        office.issue(Duration.ofMinutes(15), Optional.empty(), Optional.of("a.example"), ADDRESSES);
    checkFrom(caller("ab".repeat(32), "", "a.example"), ticket);
    refused(
        "has a certificate for [b.example]",
        () -> checkFrom(caller("ab".repeat(32), "", "b.example"), ticket));
    refused("no name is vouched", () -> checkFrom(caller("ab".repeat(32), "expired"), ticket));
  }

  @Test
  void ticketOutlivesTheCertificateThatItPins() throws Exception {
    Identity renewed = Identity.loadOrCreate(directory.resolve("renewed"));
    office = new TicketOffice(directory, renewed, () -> now);
    Ticket ticket = issue();
    Files.delete(directory.resolve("renewed").resolve("identity.pem"));
    renewed.lookAgain();
    assertNotEquals(ticket.fingerprint(), issue().fingerprint());
    check(ticket, "web");
  }

  @Test
  void ofManyConnectionsOneConsumesTheTicket() throws Exception {
    Ticket ticket = issue();
    Callable<Boolean> attempt =
        () -> {
          try {
            office.consume(ticket.id());
            return true;
          } catch (MigrationException e) {
            return false;
          }
        };
    int winners = 0;
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      for (var result : threads.invokeAll(Collections.nCopies(20, attempt))) {
        winners += result.get() ? 1 : 0;
      }
    }
    assertEquals(1, winners);
  }

  @Test
  void expiredTicketIsCalledExpired() {
    Ticket ticket = issue();
    now = now.plus(Duration.ofMinutes(15)).minusSeconds(1);
    check(ticket, "web");
    now = now.plusSeconds(1);
    refused("expired at 2030-01-01T00:15:00Z", () -> check(ticket, "web"));
  }

  @Test
  void wrongSecretIsCalledWrongEvenForAUsedTicket() {
    Ticket ticket = issue();
    office.consume(ticket.id());
    refused("secret is wrong", () -> check(forged(ticket), "web"));
  }

  @Test
  void unknownTicketLooksLikeAWrongOne() {
    refused("secret is wrong", () -> check(forged("0".repeat(16)), "web"));
    refused("secret is wrong", () -> office.consume("../identity.pem"));
  }

  @Test
  void proofForAnotherConnectionOrCertificateIsWrong() {
    Ticket ticket = issue();
    byte[] proof = Proof.of(ticket, serverNonce, clientNonce);
    refused(
        "secret is wrong",
        () -> office.check(ticket.id(), Proof.nonce(), clientNonce, proof, "web", ANYBODY));
    var elsewhere =
        new Ticket(
            ADDRESSES,
            "ef".repeat(32),
            ticket.id(),
            ticket.secret(),
            ticket.expiresAt(),
            Optional.empty());
    refused("secret is wrong", () -> check(elsewhere, "web"));
  }

  @Test
  void scopedTicketIsOnlyForItsService() {
    Ticket ticket = office.issue(Duration.ofMinutes(1), Optional.of("web"), ADDRESSES);
    refused("only for service 'web'", () -> check(ticket, "db"));
    check(ticket, "web");
  }

  @Test
  void repeatedWrongProofsLockTheTicket() {
    Ticket ticket = issue();
    for (int guess = 0; guess < 5; guess++) {
      refused("secret is wrong", () -> check(forged(ticket), "web"));
    }
    refused("locked", () -> check(ticket, "web"));
  }

  @Test
  void restartForgetsNothing() {
    Ticket fresh = issue();
    Ticket used = issue();
    office.consume(used.id());
    office = open(directory);
    assertDoesNotThrow(() -> check(fresh, "web"));
    refused("used already", () -> check(used, "web"));
  }

  @Test
  void oldTicketsAreForgottenAfterAWeek() {
    Ticket ticket = issue();
    now = now.plus(Duration.ofDays(8));
    var _ = issue();
    refused("unknown here", () -> check(ticket, "web"));
  }

  @Test
  void secretIsNotStored() throws Exception {
    Ticket ticket = issue();
    String stored =
        Files.readString(directory.resolve("tickets").resolve(ticket.id()), StandardCharsets.UTF_8);
    assertFalse(stored.contains(HexFormat.of().formatHex(ticket.secret().bytes())));
  }

  @Test
  void validityIsLimited() {
    for (Duration wrong : List.of(Duration.ZERO, Duration.ofSeconds(-1), Duration.ofDays(8))) {
      var failure =
          assertThrows(
              MigrationException.class, () -> office.issue(wrong, Optional.empty(), ADDRESSES));
      assertEquals(FailureCode.USAGE, failure.code());
    }
  }

  private static Ticket forged(Ticket ticket) {
    return forged(ticket.id());
  }

  private static Ticket forged(String id) {
    return new Ticket(
        ADDRESSES,
        FINGERPRINT,
        id,
        Secret.random(),
        Instant.parse("2040-01-01T00:00:00Z"),
        Optional.empty());
  }
}

package io.pagurus.migration;

import static io.pagurus.model.FailureCode.FORBIDDEN;
import static io.pagurus.model.FailureCode.PROTOCOL;
import static io.pagurus.model.FailureCode.UNAUTHORIZED;

import io.pagurus.engine.ContainerEngine;
import io.pagurus.model.MigrationException;
import io.pagurus.policy.Policy;
import io.pagurus.protocol.Caller;
import io.pagurus.protocol.Message;
import io.pagurus.trust.Proof;
import io.pagurus.trust.TicketOffice;
import java.util.Collections;
import java.util.HexFormat;
import java.util.Set;

/** Decides which sources may bring a service. */
final class Admission {
  private static final HexFormat HEX = HexFormat.of();

  private final TicketOffice tickets;
  private final ContainerEngine engine;

  Admission(TicketOffice tickets, ContainerEngine engine) {
    this.tickets = tickets;
    this.engine = engine;
  }

  /**
   * A ticket, or a certificate of the authority.
   *
   * @param nonce of this side
   * @throws MigrationException UNAUTHORIZED, or PROTOCOL when the proof is malformed
   */
  void requireCredentials(Message.Hello hello, byte[] nonce, Message.Prove proof, Caller caller) {
    if (!hello.ticket().isEmpty()) {
      tickets.check(
          hello.ticket(),
          nonce,
          bytes(hello.nonce()),
          bytes(proof.proof()),
          proof.service(),
          caller);
    } else if (!caller.vouchedFor()) {
      throw new MigrationException(
          UNAUTHORIZED,
          "Without a ticket the source needs a certificate of an authority that the destination trusts, and %s."
              .formatted(
                  caller
                      .certificate()
                      .map(shown -> "its own does not do: " + shown.doubt())
                      .orElse("it shows none")));
    }
  }

  /**
   * Whether the policy lets this source bring a service, now.
   *
   * @throws MigrationException FORBIDDEN
   */
  void requireWelcome(String source, Caller caller) {
    Policy.Peers peers = engine.policy().peers();
    // Where an authority vouches for names, the one that the source gives to itself is worth
    // nothing.
    Set<String> names = caller.vouchedFor() ? caller.names() : Set.of(source);
    if (!peers.names().isEmpty() && Collections.disjoint(peers.names(), names)) {
      throw new MigrationException(
          FORBIDDEN, "The destination's policy does not name this source (rule peers.names).");
    }
    if (!peers.fingerprints().isEmpty()
        && caller.fingerprint().filter(peers.fingerprints()::contains).isEmpty()) {
      throw new MigrationException(
          FORBIDDEN,
          "The destination's policy does not name this source's certificate (rule peers.fingerprints). `pagurus version` prints it at the source.");
    }
  }

  private static byte[] bytes(String hex) {
    if (hex.length() != 2 * Proof.NONCE_BYTES || !hex.matches("[0-9a-f]+")) {
      throw new MigrationException(PROTOCOL, "Malformed nonce or proof.");
    }
    return HEX.parseHex(hex);
  }
}

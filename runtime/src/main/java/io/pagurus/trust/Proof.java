package io.pagurus.trust;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Proves possession of a ticket's secret without sending it.
 *
 * <p>Both sides draw a nonce; the client answers with HMAC-SHA256(key, server nonce || client nonce
 * || certificate fingerprint), where key = SHA-256("pagurus ticket 1" || secret). The destination
 * keeps only that key. The fingerprint is the one that the client has pinned: a proof made for one
 * runtime is worthless to another that relays it.
 */
public final class Proof {
  /** Length of each side's nonce in bytes. */
  public static final int NONCE_BYTES = 32;

  private static final byte[] LABEL = "pagurus ticket 1".getBytes(StandardCharsets.US_ASCII);

  private Proof() {}

  /** Draws a nonce for one handshake. */
  public static byte[] nonce() {
    return Secret.randomBytes(NONCE_BYTES);
  }

  /** The client's answer for a ticket. */
  public static byte[] of(Ticket ticket, byte[] serverNonce, byte[] clientNonce) {
    return compute(verifier(ticket.secret()), serverNonce, clientNonce, ticket.fingerprint());
  }

  /** What the destination keeps of a secret. */
  static byte[] verifier(Secret secret) {
    try {
      var digest = MessageDigest.getInstance("SHA-256");
      digest.update(LABEL);
      return digest.digest(secret.bytes());
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has SHA-256", e);
    }
  }

  static byte[] compute(
      byte[] verifier, byte[] serverNonce, byte[] clientNonce, String fingerprint) {
    if (serverNonce.length != NONCE_BYTES || clientNonce.length != NONCE_BYTES) {
      throw new IllegalArgumentException("A nonce has %d bytes".formatted(NONCE_BYTES));
    }
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(verifier, "HmacSHA256"));
      mac.update(serverNonce);
      mac.update(clientNonce);
      return mac.doFinal(HexFormat.of().parseHex(fingerprint));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has HmacSHA256", e);
    }
  }
}

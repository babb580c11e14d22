package io.pagurus.trust;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * What lets a lost connection of a migration go on over another link, once: HMAC-SHA256(token,
 * "pagurus resume 1 " || channel || " " || attempt), hexadecimal. The token is the migration's own,
 * handed out over its authenticated connection; it does not travel again, and an attempt counts
 * only if it is higher than the one before.
 */
public final class ResumptionProof {
  private static final String LABEL = "pagurus resume 1 ";

  private ResumptionProof() {}

  /**
   * @param token of the migration, a secret
   * @param channel number of the connection
   * @param attempt from 1
   */
  public static String of(String token, int channel, long attempt) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(token.getBytes(StandardCharsets.US_ASCII), "HmacSHA256"));
      String what = LABEL + channel + " " + attempt;
      return HexFormat.of().formatHex(mac.doFinal(what.getBytes(StandardCharsets.US_ASCII)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has HmacSHA256", e);
    }
  }

  /** Whether this is the proof for it; takes the same time whatever differs. */
  public static boolean matches(String token, int channel, long attempt, String proof) {
    return MessageDigest.isEqual(
        of(token, channel, attempt).getBytes(StandardCharsets.UTF_8),
        proof.getBytes(StandardCharsets.UTF_8));
  }
}

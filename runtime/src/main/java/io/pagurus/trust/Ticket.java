package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.zip.CRC32;

/**
 * What lets one runtime migrate a service to another: where the destination listens, which
 * certificate it shows, and a secret that it accepts once.
 *
 * <p>The text form is one line, {@code pagurus1.} and base64url without padding of, big endian:
 *
 * <pre>
 * u8 number of addresses, then each: u16 length, UTF-8 host:port
 * 32 bytes SHA-256 of the certificate
 * 8 bytes id
 * 32 bytes secret
 * u64 expiry, seconds since 1970
 * u16 length, UTF-8 name of the only service it is for (length 0: any)
 * u32 CRC-32 of all before, so that a line copied in part is told from a wrong one
 * </pre>
 *
 * @param addresses host:port in the order to try; an IPv6 host in brackets
 * @param fingerprint SHA-256 of the destination's certificate, 64 lowercase hex digits
 * @param id public name of the ticket, 16 lowercase hex digits
 * @param secret proves possession; never sent, see {@link Proof}
 * @param expiresAt by the destination's clock
 * @param service the only service it is for; empty for any
 */
public record Ticket(
    List<String> addresses,
    String fingerprint,
    String id,
    Secret secret,
    Instant expiresAt,
    Optional<String> service) {
  private static final String PREFIX = "pagurus1.";
  private static final int FINGERPRINT_BYTES = 32;
  private static final int ID_BYTES = 8;

  /** A generous bound: a ticket with ten addresses has about 600 characters. */
  private static final int MAX_TEXT = 8192;

  public Ticket {
    addresses = List.copyOf(addresses);
    requireNonNull(secret, "secret is null");
    requireNonNull(expiresAt, "expiresAt is null");
    requireNonNull(service, "service is null");
    requireHex(fingerprint, FINGERPRINT_BYTES, "fingerprint");
    requireHex(id, ID_BYTES, "id");
    if (addresses.isEmpty() || addresses.size() > 255) {
      throw new IllegalArgumentException("A ticket has 1 to 255 addresses");
    }
    addresses.forEach(Addresses::parse);
  }

  static String newId() {
    return HexFormat.of().formatHex(Secret.randomBytes(ID_BYTES));
  }

  private static void requireHex(String text, int bytes, String name) {
    if (text.length() != 2 * bytes || !text.matches("[0-9a-f]+")) {
      throw new IllegalArgumentException(
          "%s must have %d lowercase hex digits".formatted(name, 2 * bytes));
    }
  }

  /** The one line that {@code pagurus ticket} prints: a secret. */
  public String text() {
    var bytes = new ByteArrayOutputStream();
    try (var out = new DataOutputStream(bytes)) {
      out.writeByte(addresses.size());
      for (String address : addresses) {
        out.writeUTF(address);
      }
      out.write(HexFormat.of().parseHex(fingerprint));
      out.write(HexFormat.of().parseHex(id));
      out.write(secret.bytes());
      out.writeLong(expiresAt.getEpochSecond());
      out.writeUTF(service.orElse(""));
      out.writeInt(checksum(bytes.toByteArray(), bytes.size()));
    } catch (IOException e) {
      throw new UncheckedIOException("An array in memory cannot fail", e);
    }
    return PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes.toByteArray());
  }

  /**
   * Reads the text form.
   *
   * @throws MigrationException USAGE when it is no ticket, is damaged, or is of a newer version
   */
  public static Ticket parse(String text) {
    String line = text.strip();
    if (!line.startsWith(PREFIX)) {
      throw notATicket(
          line.matches("pagurus\\d+\\..*")
              ? "It was made by a newer Pagurus; use the same version on both sides."
              : "It does not begin with '%s'.".formatted(PREFIX));
    }
    if (line.length() > MAX_TEXT) {
      throw notATicket("It is longer than %d characters.".formatted(MAX_TEXT));
    }
    try {
      byte[] bytes = Base64.getUrlDecoder().decode(line.substring(PREFIX.length()));
      return decode(bytes);
    } catch (IOException | IllegalArgumentException | DateTimeException | MigrationException e) {
      throw notATicket("It is damaged: was the whole line copied?");
    }
  }

  private static Ticket decode(byte[] bytes) throws IOException {
    int body = bytes.length - Integer.BYTES;
    var in = new DataInputStream(new ByteArrayInputStream(bytes));
    if (body <= 0) {
      throw new IOException("Too short");
    }
    List<String> addresses = new ArrayList<>();
    for (int left = in.readUnsignedByte(); left > 0; left--) {
      addresses.add(in.readUTF());
    }
    String fingerprint = HexFormat.of().formatHex(in.readNBytes(FINGERPRINT_BYTES));
    String id = HexFormat.of().formatHex(in.readNBytes(ID_BYTES));
    Secret secret = Secret.of(in.readNBytes(Secret.BYTES));
    Instant expiresAt = Instant.ofEpochSecond(in.readLong());
    String service = in.readUTF();
    if (in.readInt() != checksum(bytes, body) || in.available() > 0) {
      throw new IOException("Checksum differs");
    }
    return new Ticket(
        addresses,
        fingerprint,
        id,
        secret,
        expiresAt,
        service.isEmpty() ? Optional.empty() : Optional.of(service));
  }

  private static int checksum(byte[] bytes, int length) {
    var crc = new CRC32();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  private static MigrationException notATicket(String why) {
    return new MigrationException(
        FailureCode.USAGE,
        "This is not a usable ticket. %s Run `pagurus ticket` on the destination and pass the last line that it prints."
            .formatted(why));
  }

  /** Without the secret. */
  @Override
  public String toString() {
    return "Ticket[id=%s, addresses=%s, fingerprint=%s, expiresAt=%s, service=%s]"
        .formatted(id, addresses, fingerprint, expiresAt, service.orElse("any"));
  }
}

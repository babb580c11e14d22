package io.pagurus.trust;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** An authority that gives certificates for host names and 127.0.0.1. */
public final class TestAuthority {
  private static final byte[] ECDSA_WITH_SHA256 = Der.sequence(Der.oid("2a8648ce3d040302"));
  private static final AtomicInteger SERIAL = new AtomicInteger(1);

  private final byte[] name;
  private final KeyPair keys;
  private final byte[] certificate;

  public TestAuthority(String name) throws GeneralSecurityException {
    this.name = name(name);
    this.keys = keys();
    byte[] constraints =
        extension("551d13", Der.sequence(Der.value(0x01, new byte[] {(byte) 0xff})));
    this.certificate = certificate(this.name, keys, past(), future(), constraints);
  }

  private static Instant past() {
    return Instant.now().minus(Duration.ofDays(2));
  }

  private static Instant future() {
    return Instant.now().plus(Duration.ofDays(2));
  }

  /** Puts a certificate for these names, its key and the authority's certificate there. */
  public TlsFiles issue(Path directory, String... names)
      throws IOException, GeneralSecurityException {
    return issue(directory, past(), future(), names);
  }

  /** The same, which has expired. */
  public TlsFiles issueExpired(Path directory, String... names)
      throws IOException, GeneralSecurityException {
    return issue(directory, past(), Instant.now().minus(Duration.ofHours(1)), names);
  }

  private TlsFiles issue(Path directory, Instant from, Instant until, String... names)
      throws IOException, GeneralSecurityException {
    KeyPair pair = keys();
    byte[][] alternatives =
        Arrays.stream(names)
            .map(host -> Der.value(0x82, host.getBytes(StandardCharsets.US_ASCII)))
            .toArray(byte[][]::new);
    byte[][] all = Arrays.copyOf(alternatives, alternatives.length + 1);
    all[alternatives.length] = Der.value(0x87, new byte[] {127, 0, 0, 1});
    byte[] leaf =
        certificate(name("somebody"), pair, from, until, extension("551d11", Der.sequence(all)));
    var key = new TlsKey(pair.getPrivate(), List.of(read(leaf)));
    Files.createDirectories(directory);
    var files =
        new TlsFiles(
            directory.resolve("ca.pem"),
            directory.resolve("cert.pem"),
            directory.resolve("key.pem"));
    PrivateFiles.write(files.authorities(), pem(certificate));
    PrivateFiles.write(files.certificate(), pem(leaf));
    PrivateFiles.write(files.key(), key.pem());
    return files;
  }

  private static KeyPair keys() throws GeneralSecurityException {
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  private static byte[] name(String text) {
    return Der.sequence(Der.set(Der.sequence(Der.oid("550403"), Der.utf8(text))));
  }

  private static byte[] extension(String oid, byte[] content) {
    return Der.sequence(Der.oid(oid), Der.value(0x04, content));
  }

  private byte[] certificate(
      byte[] subject, KeyPair pair, Instant from, Instant until, byte[] extension)
      throws GeneralSecurityException {
    byte[] toBeSigned =
        Der.sequence(
            Der.explicit(0, Der.integer(BigInteger.TWO)),
            Der.integer(BigInteger.valueOf(SERIAL.incrementAndGet())),
            ECDSA_WITH_SHA256,
            name,
            Der.sequence(Der.generalizedTime(from), Der.generalizedTime(until)),
            subject,
            pair.getPublic().getEncoded(),
            Der.explicit(3, Der.sequence(extension)));
    var signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(keys.getPrivate());
    signature.update(toBeSigned);
    return Der.sequence(toBeSigned, ECDSA_WITH_SHA256, Der.bitString(signature.sign()));
  }

  private static X509Certificate read(byte[] der) throws GeneralSecurityException {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
  }

  private static String pem(byte[] der) {
    return "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
        .formatted(Base64.getMimeEncoder().encodeToString(der));
  }
}

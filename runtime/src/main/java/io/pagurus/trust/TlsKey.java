package io.pagurus.trust;

import java.io.ByteArrayInputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A private key with its certificate chain, the own one first.
 *
 * <p>Self-signed certificates (RFC 5280, with only the mandatory fields) are written by {@link
 * Der}: a library for it cost 350 ms and 30 MiB of the first start, measured in ADR 0003.
 */
record TlsKey(PrivateKey key, List<X509Certificate> chain) {
  /** 1.2.840.10045.4.3.2, RFC 5758. */
  private static final byte[] ECDSA_WITH_SHA256 = Der.sequence(Der.oid("2a8648ce3d040302"));

  /** 2.5.4.3, commonName of X.520. */
  private static final byte[] COMMON_NAME = Der.oid("550403");

  /** For clocks that differ. */
  private static final Duration EARLIER = Duration.ofDays(1);

  TlsKey {
    chain = List.copyOf(chain);
    if (chain.isEmpty()) {
      throw new IllegalArgumentException("A key needs a certificate");
    }
  }

  /** Makes an EC P-256 key with a self-signed certificate. */
  static TlsKey selfSigned(Instant now, Duration validity) throws GeneralSecurityException {
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    KeyPair pair = generator.generateKeyPair();
    byte[] name = Der.sequence(Der.set(Der.sequence(COMMON_NAME, Der.utf8("pagurus"))));
    byte[] toBeSigned =
        Der.sequence(
            Der.explicit(0, Der.integer(BigInteger.TWO)), // version 3
            Der.integer(new BigInteger(64, new SecureRandom()).setBit(0)),
            ECDSA_WITH_SHA256,
            name,
            Der.sequence(
                Der.generalizedTime(now.minus(EARLIER)), Der.generalizedTime(now.plus(validity))),
            name,
            pair.getPublic().getEncoded());
    byte[] signature = sign("SHA256withECDSA", pair.getPrivate(), toBeSigned);
    byte[] certificate = Der.sequence(toBeSigned, ECDSA_WITH_SHA256, Der.bitString(signature));
    return new TlsKey(pair.getPrivate(), List.of(certificate(certificate)));
  }

  private static byte[] sign(String algorithm, PrivateKey key, byte[] text)
      throws GeneralSecurityException {
    var signature = Signature.getInstance(algorithm);
    signature.initSign(key);
    signature.update(text);
    return signature.sign();
  }

  private static X509Certificate certificate(byte[] der) throws GeneralSecurityException {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
  }

  /**
   * Reads PEM: an unencrypted PKCS #8 key, EC or RSA, and its certificates.
   *
   * @throws GeneralSecurityException when they do not belong together
   * @throws IllegalArgumentException when one is missing or damaged; neither repeats the key
   */
  static TlsKey of(String keyPem, String certificatePem) throws GeneralSecurityException {
    List<byte[]> keys = sections(keyPem, "PRIVATE KEY");
    if (keys.size() != 1) {
      throw new IllegalArgumentException(
          "It needs one section PRIVATE KEY (PKCS #8, not encrypted), and has " + keys.size());
    }
    var read = new TlsKey(key(keys.getFirst()), certificates(certificatePem));
    if (!read.belongsTogether()) {
      throw new GeneralSecurityException("The key is not the certificate's");
    }
    return read;
  }

  private static PrivateKey key(byte[] der) throws GeneralSecurityException {
    for (String algorithm : List.of("EC", "RSA")) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
      } catch (InvalidKeySpecException e) {
        // The other one, or said below: what the parser says may hold bytes of the key.
      }
    }
    throw new GeneralSecurityException("The private key is neither of EC nor of RSA");
  }

  private boolean belongsTogether() throws GeneralSecurityException {
    PublicKey publicKey = certificate().getPublicKey();
    if (!key.getAlgorithm().equals(publicKey.getAlgorithm())) {
      return false;
    }
    String algorithm = key.getAlgorithm().equals("EC") ? "SHA256withECDSA" : "SHA256withRSA";
    byte[] text = {1};
    var signature = Signature.getInstance(algorithm);
    signature.initVerify(publicKey);
    signature.update(text);
    return signature.verify(sign(algorithm, key, text));
  }

  /** All certificates of a PEM text, at least one. */
  static List<X509Certificate> certificates(String pem) throws GeneralSecurityException {
    List<X509Certificate> certificates = new ArrayList<>();
    for (byte[] der : sections(pem, "CERTIFICATE")) {
      certificates.add(certificate(der));
    }
    if (certificates.isEmpty()) {
      throw new IllegalArgumentException("It has no section CERTIFICATE");
    }
    return certificates;
  }

  private static List<byte[]> sections(String pem, String type) {
    Matcher section =
        Pattern.compile(
                "-----BEGIN " + type + "-----(.+?)-----END " + type + "-----", Pattern.DOTALL)
            .matcher(pem);
    List<byte[]> sections = new ArrayList<>();
    while (section.find()) {
      sections.add(Base64.getMimeDecoder().decode(section.group(1)));
    }
    return sections;
  }

  /** Both in one text: a secret. */
  String pem() throws GeneralSecurityException {
    var pem = new StringBuilder(section("PRIVATE KEY", key.getEncoded()));
    for (X509Certificate certificate : chain) {
      pem.append(section("CERTIFICATE", certificate.getEncoded()));
    }
    return pem.toString();
  }

  private static String section(String type, byte[] der) {
    var encoder = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n"
        .formatted(type, encoder.encodeToString(der), type);
  }

  X509Certificate certificate() {
    return chain.getFirst();
  }

  String fingerprint() {
    return fingerprint(certificate());
  }

  static String fingerprint(X509Certificate certificate) {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has SHA-256", e);
    }
  }

  Instant expiresAt() {
    return certificate().getNotAfter().toInstant();
  }

  /** Without the key. */
  @Override
  public String toString() {
    return "TlsKey[" + fingerprint() + "]";
  }
}

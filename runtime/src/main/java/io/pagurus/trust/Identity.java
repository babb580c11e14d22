package io.pagurus.trust;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.MessageDigest;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.X509ExtendedKeyManager;

/**
 * The key pair by which peers recognise this runtime: EC P-256 with a self-signed certificate, made
 * at the first start and kept in {@code identity.pem}, mode 0600, in the state directory.
 *
 * <p>Peers pin the certificate's fingerprint from a ticket, so its subject and dates mean nothing
 * to them. The certificate (RFC 5280, with only the mandatory fields) is written by {@link Der}: a
 * library for it cost 350 ms and 30 MiB of the first start, measured in ADR 0003.
 */
public final class Identity {
  private static final String FILE = "identity.pem";

  /** 1.2.840.10045.4.3.2, RFC 5758. */
  private static final byte[] ECDSA_WITH_SHA256 = Der.sequence(Der.oid("2a8648ce3d040302"));

  /** 2.5.4.3, commonName of X.520. */
  private static final byte[] COMMON_NAME = Der.oid("550403");

  /** Older than any clock that is badly set, and long enough to never matter. */
  private static final Instant VALID_FROM = Instant.parse("2020-01-01T00:00:00Z");

  private static final Duration VALIDITY = Duration.ofDays(100 * 365);

  private final PrivateKey key;
  private final X509Certificate certificate;
  private final SSLContext context;

  private Identity(PrivateKey key, X509Certificate certificate) {
    this.key = key;
    this.certificate = certificate;
    this.context = context(key, certificate);
  }

  /**
   * Loads the identity, or makes it when there is none yet.
   *
   * @param stateDirectory created with mode 0700 when missing
   * @throws UncheckedIOException when the file cannot be read or written, or is damaged
   */
  public static Identity loadOrCreate(Path stateDirectory) {
    Path file = stateDirectory.resolve(FILE);
    try {
      if (Files.exists(file)) {
        return fromPem(Files.readString(file));
      }
      PrivateFiles.createDirectory(stateDirectory);
      Identity identity = create();
      PrivateFiles.write(file, identity.pem());
      return identity;
    } catch (IOException | GeneralSecurityException | IllegalArgumentException e) {
      throw new UncheckedIOException(
          "Cannot read this runtime's identity from %s: %s. Remove the file to get a new one (older tickets stop working)."
              .formatted(file, e.getMessage()),
          e instanceof IOException io ? io : new IOException(e));
    }
  }

  private static Identity create() throws GeneralSecurityException {
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
                Der.generalizedTime(VALID_FROM), Der.generalizedTime(VALID_FROM.plus(VALIDITY))),
            name,
            pair.getPublic().getEncoded());
    var signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(pair.getPrivate());
    signature.update(toBeSigned);
    byte[] certificate =
        Der.sequence(toBeSigned, ECDSA_WITH_SHA256, Der.bitString(signature.sign()));
    return new Identity(pair.getPrivate(), readCertificate(certificate));
  }

  private static X509Certificate readCertificate(byte[] der) throws GeneralSecurityException {
    return (X509Certificate)
        CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
  }

  private static Identity fromPem(String pem) throws GeneralSecurityException {
    byte[] key = section(pem, "PRIVATE KEY");
    return new Identity(
        KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(key)),
        readCertificate(section(pem, "CERTIFICATE")));
  }

  private static byte[] section(String pem, String type) {
    Matcher section =
        Pattern.compile(
                "-----BEGIN " + type + "-----(.+?)-----END " + type + "-----", Pattern.DOTALL)
            .matcher(pem);
    if (!section.find()) {
      throw new IllegalArgumentException("It has no section " + type);
    }
    return Base64.getMimeDecoder().decode(section.group(1));
  }

  private String pem() throws GeneralSecurityException {
    return section("PRIVATE KEY", key.getEncoded())
        + section("CERTIFICATE", certificate.getEncoded());
  }

  private static String section(String type, byte[] der) {
    var encoder = Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII));
    return "-----BEGIN %s-----\n%s\n-----END %s-----\n"
        .formatted(type, encoder.encodeToString(der), type);
  }

  /** SHA-256 of the certificate, 64 lowercase hex digits. */
  public String fingerprint() {
    return fingerprint(certificate);
  }

  static String fingerprint(X509Certificate certificate) {
    try {
      return HexFormat.of()
          .formatHex(MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded()));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has SHA-256", e);
    }
  }

  X509Certificate certificate() {
    return certificate;
  }

  /**
   * The server side of TLS 1.3 over an accepted connection; asks the client for no certificate.
   *
   * @return a socket that shakes hands with the first read or write, and closes the plain one with
   *     itself
   */
  public SSLSocket secure(Socket accepted) throws IOException {
    Tls.configurePlain(accepted);
    var socket = (SSLSocket) context.getSocketFactory().createSocket(accepted, null, true);
    socket.setUseClientMode(false);
    Tls.configure(socket);
    return socket;
  }

  private static SSLContext context(PrivateKey key, X509Certificate certificate) {
    try {
      var context = SSLContext.getInstance("TLSv1.3");
      context.init(new KeyManager[] {new OneKey(key, certificate)}, null, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has TLS 1.3", e);
    }
  }

  /** Without the key. */
  @Override
  public String toString() {
    return "Identity[" + fingerprint() + "]";
  }

  /**
   * Always the one key. A key store would do the same, but encrypts and decrypts the key with a
   * slow hash on its way.
   */
  private static final class OneKey extends X509ExtendedKeyManager {
    private static final String ALIAS = "pagurus";
    private final PrivateKey key;
    private final X509Certificate certificate;

    OneKey(PrivateKey key, X509Certificate certificate) {
      this.key = key;
      this.certificate = certificate;
    }

    @Override
    public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
      return keyType.equals("EC") ? ALIAS : null;
    }

    @Override
    public String chooseEngineServerAlias(String keyType, Principal[] issuers, SSLEngine engine) {
      return keyType.equals("EC") ? ALIAS : null;
    }

    @Override
    public String[] getServerAliases(String keyType, Principal[] issuers) {
      return new String[] {ALIAS};
    }

    @Override
    public String[] getClientAliases(String keyType, Principal[] issuers) {
      return new String[0];
    }

    @Override
    public String chooseClientAlias(String[] keyType, Principal[] issuers, Socket socket) {
      return null;
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
      return new X509Certificate[] {certificate};
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
      return key;
    }
  }
}

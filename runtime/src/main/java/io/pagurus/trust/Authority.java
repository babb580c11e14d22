package io.pagurus.trust;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The certificate that an authority has given to this runtime, and the authorities whose
 * certificates it trusts, as {@link TlsFiles} hold them.
 *
 * <p>The files may be replaced at any time, by whatever renews certificates: the next connection
 * uses the new ones, running ones stay. Files that do not fit together, as half-way through a
 * replacement, are left alone until they do.
 */
final class Authority {
  private static final Logger log = LoggerFactory.getLogger(Authority.class);

  /** Names of a certificate (RFC 5280, section 4.2.1.6): host names and URIs. */
  private static final Set<Integer> NAMES = Set.of(2, 6);

  private final TlsFiles files;
  private Loaded loaded;
  private Loaded before;
  private List<Object> lastFailure = List.of();

  private record Loaded(List<Object> stamp, TlsKey key, X509ExtendedTrustManager trust) {}

  /**
   * @throws MigrationException USAGE when the files cannot be used
   */
  Authority(TlsFiles files) {
    this.files = files;
    try {
      this.loaded = load();
      this.before = loaded;
    } catch (IOException | GeneralSecurityException | IllegalArgumentException e) {
      throw new MigrationException(
          FailureCode.USAGE,
          "%s, %s and %s cannot be used: %s."
              .formatted(files.authorities(), files.certificate(), files.key(), e.getMessage()),
          e);
    }
  }

  synchronized TlsKey key() {
    return loaded.key();
  }

  /** The key of this fingerprint; one that was replaced in the middle of a handshake, too. */
  synchronized Optional<TlsKey> find(String fingerprint) {
    return Stream.of(loaded.key(), before.key())
        .filter(key -> key.fingerprint().equals(fingerprint))
        .findFirst();
  }

  synchronized X509ExtendedTrustManager trust() {
    return loaded.trust();
  }

  /** Uses files that have changed. */
  synchronized void refresh() {
    List<Object> stamp = List.of();
    try {
      stamp = stamp();
      if (!stamp.equals(loaded.stamp()) && !stamp.equals(lastFailure)) {
        Loaded next = load();
        before = loaded;
        loaded = next;
        log.info(
            "Uses {} from now on: {}, valid until {}",
            files.certificate(),
            loaded.key().fingerprint(),
            loaded.key().expiresAt());
      }
    } catch (IOException
        | GeneralSecurityException
        | IllegalArgumentException
        | MigrationException e) {
      lastFailure = stamp;
      log.warn("The files beside {} do not fit yet: {}", files.certificate(), e.getMessage());
    }
  }

  private Loaded load() throws IOException, GeneralSecurityException {
    List<Object> stamp = stamp();
    PrivateFiles.requirePrivate(files.key());
    TlsKey key = TlsKey.of(Files.readString(files.key()), Files.readString(files.certificate()));
    return new Loaded(
        stamp, key, trust(TlsKey.certificates(Files.readString(files.authorities()))));
  }

  private static X509ExtendedTrustManager trust(List<X509Certificate> authorities)
      throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    for (X509Certificate authority : authorities) {
      store.setCertificateEntry(TlsKey.fingerprint(authority), authority);
    }
    var factory = TrustManagerFactory.getInstance("PKIX");
    factory.init(store);
    for (TrustManager manager : factory.getTrustManagers()) {
      if (manager instanceof X509ExtendedTrustManager trust) {
        return trust;
      }
    }
    throw new GeneralSecurityException("No X.509 trust manager");
  }

  /** Changes with whichever file changes; a mounted secret is replaced by its links. */
  private List<Object> stamp() throws IOException {
    List<Object> stamp = new ArrayList<>();
    for (Path file : List.of(files.authorities(), files.certificate(), files.key())) {
      var attributes = Files.readAttributes(file, BasicFileAttributes.class);
      stamp.add(String.valueOf(attributes.fileKey()));
      stamp.add(attributes.lastModifiedTime());
      // A copy may have all the rest of the file before, its number included.
      stamp.add(Files.getAttribute(file, "unix:ctime"));
      stamp.add(attributes.size());
    }
    return stamp;
  }

  /**
   * Checks a client's certificates whose key it has proved to hold.
   *
   * @return names that the authority vouches for
   * @throws CertificateException why it does not
   */
  Set<String> names(X509Certificate[] chain) throws CertificateException {
    trust().checkClientTrusted(chain, chain[0].getPublicKey().getAlgorithm());
    Set<String> names = new TreeSet<>();
    var alternatives = chain[0].getSubjectAlternativeNames();
    if (alternatives != null) {
      for (List<?> alternative : alternatives) {
        if (alternative.get(0) instanceof Integer kind
            && NAMES.contains(kind)
            && alternative.get(1) instanceof String name) {
          names.add(name);
        }
      }
    }
    return names;
  }
}

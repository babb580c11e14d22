package io.pagurus.trust;

import io.pagurus.protocol.Caller;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import javax.net.ssl.ExtendedSSLSession;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedKeyManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * The keys by which peers recognise this runtime, on either side of TLS.
 *
 * <p>There is always the runtime's own key with a self-signed certificate, which tickets pin by its
 * fingerprint ({@link OwnKeys}). Where an operator has given certificates of an authority ({@link
 * TlsFiles}), whoever pins nothing is shown the authority's instead. A client that has pinned a
 * certificate says so by the name that it asks for (SNI, RFC 6066): so both live on one port, and a
 * certificate that has been renewed is still there for those who pinned it.
 *
 * <p>A client shows its certificate, too: the authority's, else its own. Any is accepted by TLS,
 * which proves that the client holds the key; {@link #caller} tells what that is worth.
 */
public final class Identity {
  /** Of the fingerprint in the name that is asked for; a label has at most 63 characters. */
  private static final int PINNED_DIGITS = 40;

  private static final String PINNED_SUFFIX = ".pin.pagurus";

  /** Between two looks at files. */
  private static final long LOOK_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final OwnKeys own;
  private final Optional<Authority> authority;
  private final SSLContext server;
  private final AtomicLong lookedAt = new AtomicLong(System.nanoTime() - LOOK_NANOS);

  private Identity(OwnKeys own, Optional<Authority> authority) {
    this.own = own;
    this.authority = authority;
    this.server = context(new KeyManager[] {new Keys()}, new AnyClient());
  }

  /**
   * Loads the runtime's own key, or makes it when there is none yet; there is no authority.
   *
   * @param stateDirectory created with mode 0700 when missing
   * @throws java.io.UncheckedIOException when the file cannot be read or written, or is damaged
   */
  public static Identity loadOrCreate(Path stateDirectory) {
    return loadOrCreate(stateDirectory, InstantSource.system());
  }

  static Identity loadOrCreate(Path stateDirectory, InstantSource clock) {
    return new Identity(new OwnKeys(stateDirectory, clock), Optional.empty());
  }

  /**
   * The same with an authority.
   *
   * @throws io.pagurus.model.MigrationException USAGE when its files cannot be used
   */
  public Identity with(TlsFiles files) {
    return new Identity(own, Optional.of(new Authority(files)));
  }

  /** SHA-256 of the own certificate, which tickets pin: 64 lowercase hex digits. */
  public String fingerprint() {
    refresh();
    return own.current().fingerprint();
  }

  /** SHA-256 of the certificate that this runtime shows where it brings a service. */
  public String clientFingerprint() {
    refresh();
    return clientKey().fingerprint();
  }

  /** When the own certificate expires; it is renewed before. */
  public Instant ownExpiry() {
    refresh();
    return own.current().expiresAt();
  }

  /** When the authority's does, if there is an authority. */
  public Optional<Instant> authorityExpiry() {
    refresh();
    return authority.map(Authority::key).map(TlsKey::expiresAt);
  }

  /** Whether a ticket with this fingerprint is one of this runtime. */
  public boolean isOwn(String fingerprint) {
    return own.find(fingerprint).isPresent();
  }

  /** Whether an authority vouches for peers. */
  public boolean hasAuthority() {
    return authority.isPresent();
  }

  X509Certificate certificate() {
    return own.current().certificate();
  }

  /** Uses what has been renewed or replaced. Cheap: at most one look per second. */
  private void refresh() {
    long last = lookedAt.get();
    long now = System.nanoTime();
    if (now - last >= LOOK_NANOS && lookedAt.compareAndSet(last, now)) {
      lookAgain();
    }
  }

  /** Uses what has been renewed or replaced, at once; it is noticed within a second anyway. */
  public void lookAgain() {
    own.refresh();
    authority.ifPresent(Authority::refresh);
  }

  /**
   * The server side of TLS 1.3 over an accepted connection.
   *
   * @return a socket that shakes hands with the first read or write, and closes the plain one with
   *     itself
   */
  public SSLSocket secure(Socket accepted) throws IOException {
    refresh();
    Tls.configurePlain(accepted);
    var socket = (SSLSocket) server.getSocketFactory().createSocket(accepted, null, true);
    socket.setUseClientMode(false);
    Tls.configure(socket);
    socket.setWantClientAuth(true);
    return socket;
  }

  /**
   * Who it is that has shaken hands.
   *
   * @param address for logs and limits
   */
  public Caller caller(SSLSocket socket, String address) {
    try {
      X509Certificate[] chain =
          Arrays.stream(socket.getSession().getPeerCertificates())
              .map(X509Certificate.class::cast)
              .toArray(X509Certificate[]::new);
      return new Caller(address, Optional.of(judge(chain)));
    } catch (SSLPeerUnverifiedException e) {
      return Caller.anonymous(address);
    }
  }

  private Caller.Certificate judge(X509Certificate[] chain) {
    String fingerprint = TlsKey.fingerprint(chain[0]);
    if (authority.isEmpty()) {
      return new Caller.Certificate(fingerprint, Set.of(), "no authority is configured here");
    }
    try {
      return new Caller.Certificate(fingerprint, authority.get().names(chain), "");
    } catch (CertificateException e) {
      return new Caller.Certificate(fingerprint, Set.of(), doubt(e));
    }
  }

  /** The innermost reason, as "NotAfter: ..." or "unable to find valid certification path". */
  private static String doubt(Throwable e) {
    Throwable cause = e;
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    return String.valueOf(cause.getMessage());
  }

  /**
   * The client side over a connection, which trusts exactly one certificate; names and dates in it
   * mean nothing.
   */
  SSLSocket pinned(Socket plain, String host, int port, String fingerprint) throws IOException {
    refresh();
    return pinned(plain, host, port, fingerprint, new KeyManager[] {new Keys()});
  }

  /** The same by a client that shows no certificate. */
  static SSLSocket anonymous(Socket plain, String host, int port, String fingerprint)
      throws IOException {
    return pinned(plain, host, port, fingerprint, new KeyManager[0]);
  }

  private static SSLSocket pinned(
      Socket plain, String host, int port, String fingerprint, KeyManager[] keys)
      throws IOException {
    SSLSocket socket = client(plain, host, port, context(keys, new Pin(fingerprint)));
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setServerNames(
        List.of(new SNIHostName(fingerprint.substring(0, PINNED_DIGITS) + PINNED_SUFFIX)));
    socket.setSSLParameters(parameters);
    return socket;
  }

  /** The same, which trusts whom the authority has given a certificate for this very host. */
  SSLSocket vouched(Socket plain, String host, int port) throws IOException {
    refresh();
    SSLContext context = context(new KeyManager[] {new Keys()}, authority.orElseThrow().trust());
    SSLSocket socket = client(plain, host, port, context);
    SSLParameters parameters = socket.getSSLParameters();
    parameters.setEndpointIdentificationAlgorithm("HTTPS");
    socket.setSSLParameters(parameters);
    return socket;
  }

  private static SSLSocket client(Socket plain, String host, int port, SSLContext context)
      throws IOException {
    var socket = (SSLSocket) context.getSocketFactory().createSocket(plain, host, port, true);
    Tls.configure(socket);
    return socket;
  }

  private TlsKey clientKey() {
    return authority.map(Authority::key).orElseGet(own::current);
  }

  /** By the name that a client asks for. */
  private TlsKey serverKey(Optional<String> name) {
    return name.filter(asked -> asked.endsWith(PINNED_SUFFIX))
        .flatMap(asked -> own.find(asked.substring(0, asked.length() - PINNED_SUFFIX.length())))
        .orElseGet(this::clientKey);
  }

  private static SSLContext context(KeyManager[] keys, TrustManager trust) {
    try {
      var context = SSLContext.getInstance("TLSv1.3");
      context.init(keys, new TrustManager[] {trust}, null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has TLS 1.3", e);
    }
  }

  /** Without the key. */
  @Override
  public String toString() {
    return "Identity[" + own.current().fingerprint() + "]";
  }

  /**
   * The keys as they are now; an alias is a fingerprint. A key store would do the same for one key,
   * but encrypts and decrypts it with a slow hash on its way.
   */
  private final class Keys extends X509ExtendedKeyManager {
    @Override
    public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
      Optional<String> name =
          socket instanceof SSLSocket secure
                  && secure.getHandshakeSession() instanceof ExtendedSSLSession session
              ? session.getRequestedServerNames().stream()
                  .filter(SNIHostName.class::isInstance)
                  .map(asked -> ((SNIHostName) asked).getAsciiName())
                  .findFirst()
              : Optional.empty();
      return alias(serverKey(name), keyType);
    }

    @Override
    public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
      for (String keyType : keyTypes) {
        String alias = alias(clientKey(), keyType);
        if (alias != null) {
          return alias;
        }
      }
      return null;
    }

    private static String alias(TlsKey key, String keyType) {
      return keyType.equals(key.key().getAlgorithm()) ? key.fingerprint() : null;
    }

    private Optional<TlsKey> find(String alias) {
      return authority.flatMap(given -> given.find(alias)).or(() -> own.find(alias));
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
      return find(alias).map(key -> key.chain().toArray(X509Certificate[]::new)).orElse(null);
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
      return find(alias).map(TlsKey::key).orElse(null);
    }

    @Override
    public String chooseEngineServerAlias(String keyType, Principal[] issuers, SSLEngine engine) {
      return null;
    }

    @Override
    public String[] getServerAliases(String keyType, Principal[] issuers) {
      return new String[0];
    }

    @Override
    public String[] getClientAliases(String keyType, Principal[] issuers) {
      return new String[0];
    }
  }

  /** Takes every client: what its certificate is worth is asked afterwards, and answered typed. */
  private static final class AnyClient extends Trust {
    @Override
    void checkClient(X509Certificate[] chain) {}

    @Override
    void checkServer(X509Certificate[] chain) throws CertificateException {
      throw new CertificateException("Not a client");
    }
  }

  static final class OtherCertificate extends CertificateException {
    OtherCertificate() {
      super("it shows another certificate than the ticket names");
    }
  }

  private static final class Pin extends Trust {
    private final String fingerprint;

    Pin(String fingerprint) {
      this.fingerprint = fingerprint;
    }

    @Override
    void checkServer(X509Certificate[] chain) throws CertificateException {
      if (chain.length == 0 || !TlsKey.fingerprint(chain[0]).equals(fingerprint)) {
        throw new OtherCertificate();
      }
    }

    @Override
    void checkClient(X509Certificate[] chain) throws CertificateException {
      throw new CertificateException("Not a server");
    }
  }

  /** One question instead of three. */
  private abstract static class Trust extends X509ExtendedTrustManager {
    abstract void checkClient(X509Certificate[] chain) throws CertificateException;

    abstract void checkServer(X509Certificate[] chain) throws CertificateException;

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      checkClient(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      checkClient(chain);
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      checkClient(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      checkServer(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      checkServer(chain);
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      checkServer(chain);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}

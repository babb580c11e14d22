package io.pagurus.trust;

import javax.net.ssl.SSLSocket;

/** What both sides of a connection speak. */
final class Tls {
  private static final String[] PROTOCOLS = {"TLSv1.3"};

  /** AES-128 first: processors have instructions for it, and 256 bits only cost time. */
  private static final String[] CIPHERS = {
    "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"
  };

  private Tls() {}

  static void configure(SSLSocket socket) {
    socket.setEnabledProtocols(PROTOCOLS);
    socket.setEnabledCipherSuites(CIPHERS);
  }
}

package io.pagurus.trust;

import java.io.IOException;
import java.net.Socket;
import java.net.StandardSocketOptions;
import javax.net.ssl.SSLSocket;
import jdk.net.ExtendedSocketOptions;

/** What both sides of a connection speak. */
final class Tls {
  private static final String[] PROTOCOLS = {"TLSv1.3"};

  /** AES-128 first: processors have instructions for it, and 256 bits only cost time. */
  private static final String[] CIPHERS = {
    "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_256_GCM_SHA384"
  };

  private Tls() {}

  /**
   * No delay, since a message is written at once; and probes, so that a peer that vanished without
   * a word is found out after 5 s, however silent the protocol may be. The buffers are left to the
   * kernel, which grows them with the link.
   */
  static void configurePlain(Socket socket) throws IOException {
    socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
    socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
    socket.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, 2);
    socket.setOption(ExtendedSocketOptions.TCP_KEEPINTERVAL, 1);
    socket.setOption(ExtendedSocketOptions.TCP_KEEPCOUNT, 3);
  }

  static void configure(SSLSocket socket) {
    socket.setEnabledProtocols(PROTOCOLS);
    socket.setEnabledCipherSuites(CIPHERS);
  }
}

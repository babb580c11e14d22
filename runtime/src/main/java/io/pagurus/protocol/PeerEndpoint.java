package io.pagurus.protocol;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Serves one accepted connection of a peer, decrypted, that began with {@link #MAGIC}. */
public interface PeerEndpoint {
  /** The first four bytes of every connection between runtimes: {@code PGRS}, big endian. */
  int MAGIC = 0x50475253;

  /**
   * Serves the connection until it ends; the caller closes it.
   *
   * @param in positioned at the magic
   * @param caller who it is as far as TLS has shown
   * @param admitted to be run as soon as the peer has proved itself: until then it is a stranger,
   *     whose time and number are limited
   */
  void serve(InputStream in, OutputStream out, Caller caller, Runnable admitted) throws IOException;
}

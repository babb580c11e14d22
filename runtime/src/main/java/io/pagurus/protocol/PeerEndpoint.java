package io.pagurus.protocol;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/**
 * Serves one accepted connection of a peer, decrypted, after the listener recognised {@link
 * Frame#MAGIC}.
 */
public interface PeerEndpoint {

  /**
   * Serves the connection until it ends; the caller closes it.
   *
   * @param remote the peer's address, for logs
   */
  void serve(InputStream in, OutputStream out, String remote) throws IOException;
}

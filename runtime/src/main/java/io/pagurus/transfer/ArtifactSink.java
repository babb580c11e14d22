package io.pagurus.transfer;

import java.io.IOException;

/** Applies the bytes of one artifact at the destination; used by one thread. */
public interface ArtifactSink {

  /** The next bytes; the array is reused afterwards. */
  void accept(byte[] bytes, int length) throws IOException;

  /** All bytes were there and the digest matched; returns when they are applied. */
  void finish() throws IOException;

  /** The artifact will not be completed. */
  void abandon();
}

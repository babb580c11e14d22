package io.pagurus.transfer;

/**
 * Chunks that several threads fill, each its own buffer: which chunk comes first does not matter to
 * memory records. Whoever waits for a buffer here holds none, so that the others come back.
 */
final class SharedChunks implements Chunks {
  private final Chunks chunks;

  /**
   * @param chunks used by nobody else meanwhile; with a buffer for each thread and one more
   */
  SharedChunks(Chunks chunks) {
    this.chunks = chunks;
  }

  @Override
  public synchronized ArtifactSender.Buffer take() {
    return chunks.take();
  }

  @Override
  public synchronized void submit(ArtifactSender.Buffer buffer) {
    chunks.submit(buffer);
  }
}

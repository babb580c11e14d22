package io.pagurus.transfer;

/** Where chunks go, each filled by whoever took its buffer; one thread, if not said otherwise. */
public sealed interface Chunks permits ArtifactSender.Artifact, ChunkWriter, SharedChunks {
  /** An empty buffer to fill and {@link #submit}. */
  ArtifactSender.Buffer take();

  /** Hands a filled buffer on. */
  void submit(ArtifactSender.Buffer buffer);
}

package io.pagurus.dind;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/**
 * Images between two inner engines without a registry, sending only the layers that are missing.
 *
 * <p>{@code docker save} always writes every layer. But {@code docker load} looks a layer up by its
 * chain id before it opens the layer's blob ({@code image/tarexport/load.go}), so blobs that the
 * destination has as the beginning of some image can be left out of the archive.
 */
public final class ImageStore {
  private static final String BLOBS = "blobs/sha256/";

  private final EngineApi engine;

  public ImageStore(EngineApi engine) {
    this.engine = requireNonNull(engine, "engine is null");
  }

  /** The chain ids ({@code sha256:...}) of all layers that this engine can build on. */
  public Set<String> chainIds() {
    Set<String> chains = new HashSet<>();
    for (ObjectNode image : engine.images()) {
      // Gone since the list was made: then its layers may be, too.
      engine
          .findImage(image.path("Id").asText())
          .ifPresent(found -> chains.addAll(chainIds(diffIds(found))));
    }
    return chains;
  }

  /** Whether this engine has the image, which then needs no archive at all. */
  public boolean has(String imageId) {
    return engine.findImage(imageId).isPresent();
  }

  /**
   * Writes an archive for {@link #load}.
   *
   * @param present the destination's {@link #chainIds()}
   * @throws IOException when writing to {@code out} failed
   * @throws EngineException when the engine could not save the image
   */
  public ImageExport exportMissing(String imageId, Set<String> present, OutputStream out)
      throws IOException {
    List<String> diffIds = diffIds(engine.imageInspect(imageId));
    int skipped = presentPrefix(diffIds, present);
    // The same layer may come again further up, on a chain that is missing over there.
    Set<String> needed = new HashSet<>(diffIds.subList(skipped, diffIds.size()));
    Set<String> left = new HashSet<>();
    for (String diffId : diffIds.subList(0, skipped)) {
      if (!needed.contains(diffId)) {
        left.add(BLOBS + diffId.substring("sha256:".length()));
      }
    }
    try (InputStream saved = engine.save(imageId);
        TarArchiveInputStream in = new TarArchiveInputStream(saved)) {
      TarArchiveOutputStream archive = new TarArchiveOutputStream(out, UTF_8.name());
      archive.setBigNumberMode(TarArchiveOutputStream.BIGNUMBER_POSIX);
      for (TarArchiveEntry entry; (entry = in.getNextEntry()) != null; ) {
        if (!left.contains(entry.getName())) {
          archive.putArchiveEntry(entry);
          in.transferTo(archive);
          archive.closeArchiveEntry();
        }
      }
      archive.finish();
      return new ImageExport(archive.getBytesWritten(), diffIds.size() - skipped, skipped);
    }
  }

  /**
   * Loads an archive of another runtime. No reference here changes its meaning.
   *
   * @param imageId what must be there afterwards
   * @throws ForeignArchiveException when it is none that {@link #exportMissing} writes; the engine
   *     has got half of it and forgets that
   * @throws EngineException when the engine refused it or it held another image
   */
  public void load(InputStream archive, String imageId) {
    var foreign = new ForeignArchive(archive, imageId);
    List<String> messages;
    try {
      messages = engine.load(foreign);
    } catch (RuntimeException e) {
      // What the engine's client says of a body that breaks off is not what matters.
      if (foreign.refusal().isPresent()) {
        throw new ForeignArchiveException(foreign.refusal().get(), e);
      }
      throw e;
    }
    if (!has(imageId)) {
      throw new EngineException(
          0, "The archive did not hold the image %s but: %s".formatted(imageId, messages));
    }
  }

  /**
   * Makes a reference mean an image, unless it means another one already.
   *
   * @return the reference when it means the image now, the image's id when it is taken or can't be
   *     set, like a digest
   */
  public String refer(String reference, String imageId) {
    var meant = engine.findImage(reference).map(image -> image.path("Id").asText());
    if (meant.isPresent()) {
      return meant.get().equals(imageId) ? reference : imageId;
    }
    if (reference.contains("@") || reference.startsWith("sha256:")) {
      return imageId;
    }
    engine.tag(imageId, reference);
    return reference;
  }

  private static int presentPrefix(List<String> diffIds, Set<String> present) {
    List<String> chains = chainIds(diffIds);
    int length = chains.size();
    while (length > 0 && !present.contains(chains.get(length - 1))) {
      length--;
    }
    return length;
  }

  private static List<String> diffIds(ObjectNode image) {
    return Json.strings(image.path("RootFS").path("Layers"));
  }

  /**
   * The chain id of every beginning of a list of layers: the first is the layer's own id, each
   * further one the digest of the one before, a space and the layer's id (OCI image specification,
   * {@code config.md}, "Layer ChainID").
   */
  static List<String> chainIds(List<String> diffIds) {
    List<String> chains = new ArrayList<>();
    for (String diffId : diffIds) {
      chains.add(chains.isEmpty() ? diffId : digest(chains.getLast() + " " + diffId));
    }
    return chains;
  }

  private static String digest(String text) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
      return "sha256:" + HexFormat.of().formatHex(hash);
    } catch (NoSuchAlgorithmException e) {
      throw new UncheckedIOException(new IOException("Every JRE has SHA-256", e));
    }
  }
}

package io.pagurus.dind;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * An image archive as a peer sends it, on its way to {@code docker load}. In this package, because
 * nobody outside of it reads such archives; and in this module, because the fuzzer and the seeds of
 * everything that a peer sends are here.
 */
public final class ImageArchiveTarget {
  private static final String CONFIG = "blobs/sha256/" + "a".repeat(64);

  private ImageArchiveTarget() {}

  /** What gets through is one image without a name; an IOException is the documented refusal. */
  public static void fuzzerTestOneInput(byte[] bytes) throws IOException {
    byte[] through;
    try (var foreign =
        new ForeignArchive(new ByteArrayInputStream(bytes), "sha256:" + "a".repeat(64))) {
      through = foreign.readAllBytes();
    } catch (IOException e) {
      // Refused, or cut.
      return;
    }
    requireHarmless(through);
  }

  private static void requireHarmless(byte[] through) throws IOException {
    boolean described = false;
    try (var tar = new TarArchiveInputStream(new ByteArrayInputStream(through))) {
      TarArchiveEntry entry = tar.getNextEntry();
      while (entry != null) {
        String name = entry.getName();
        if (name.equals("manifest.json")) {
          require(!described, "two manifests");
          described = true;
          requireNameless(Json.parse(tar.readAllBytes()));
        } else {
          require(name.matches("blobs/sha256/[0-9a-f]{64}"), name);
        }
        require(entry.isFile() && !entry.isLink() && !entry.isSymbolicLink(), name);
        entry = tar.getNextEntry();
      }
    }
    require(described, "no manifest");
  }

  private static void requireNameless(JsonNode manifest) {
    require(manifest.isArray() && manifest.size() == 1, "one image");
    JsonNode image = manifest.path(0);
    require(image.path("Config").asText().equals(CONFIG), "another image");
    require(image.size() == 2 && image.has("Layers"), "more than its layers");
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new IllegalStateException("Something got through to the engine: " + what);
    }
  }
}

package io.pagurus.dind;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.io.UncheckedIOException;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.zip.ZipEncoding;
import org.apache.commons.compress.archivers.zip.ZipEncodingHelper;

/**
 * An image archive that comes from another runtime, as the engine may read it.
 *
 * <p>{@code docker load} does what the archive says: it gives the names in {@code manifest.json} to
 * its images, also such as mean another image here, and unpacks whatever else is in it. So nothing
 * is handed on but blobs and a manifest that is written anew here: one image, the one that was
 * announced, without a name. Everything else is left out when an honest engine writes it too, and
 * refused when none does. What the blobs hold the engine compares with their digests.
 */
final class ForeignArchive extends InputStream {
  private static final Pattern BLOB = Pattern.compile("blobs/sha256/[0-9a-f]{64}");

  /** Written by {@code docker save}, and read only where there is no manifest.json. */
  private static final Set<String> LEFT_OUT = Set.of("index.json", "oci-layout", "repositories");

  private static final Set<String> DIRECTORIES = Set.of("blobs/", "blobs/sha256/");
  private static final String MANIFEST = "manifest.json";

  /** A manifest of a thousand layers has a tenth of it. */
  private static final int MAX_MANIFEST_BYTES = 1 << 20;

  private static final int MAX_ENTRIES = 10_000;
  private static final int BLOCK = 512;
  private static final ZipEncoding ASCII_NAMES = ZipEncodingHelper.getZipEncoding("US-ASCII");

  private final TarArchiveInputStream in;
  private final String config;
  private final Set<String> seen = new HashSet<>();
  private InputStream current = nullInputStream();
  private boolean ended;
  private Optional<String> refusal = Optional.empty();

  /**
   * @param imageId the only image that may come out, {@code sha256:} and 64 hex digits
   */
  ForeignArchive(InputStream archive, String imageId) {
    this.in = new TarArchiveInputStream(archive, UTF_8.name());
    this.config = "blobs/sha256/" + imageId.replaceFirst("^sha256:", "");
  }

  @Override
  public int read() throws IOException {
    byte[] one = new byte[1];
    return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
  }

  /**
   * @throws IOException at the first entry that no honest engine writes
   */
  @Override
  public int read(byte[] target, int offset, int length) throws IOException {
    if (length == 0) {
      return 0;
    }
    int count = current.read(target, offset, length);
    while (count < 0 && !ended) {
      current = next();
      count = current.read(target, offset, length);
    }
    return count;
  }

  /** Why the stream failed, if it was the archive's fault. */
  Optional<String> refusal() {
    return refusal;
  }

  private InputStream next() throws IOException {
    TarArchiveEntry entry = entry();
    while (entry != null) {
      if (entry.isDirectory() && DIRECTORIES.contains(entry.getName())) {
        entry = entry();
        continue;
      }
      String name = entry.getName();
      if (!isPlainFile(entry)) {
        throw refused("the entry '%s' is no plain file".formatted(name));
      }
      if (!seen.add(name)) {
        throw refused("the entry '%s' comes twice".formatted(name));
      }
      if (BLOB.matcher(name).matches()) {
        return blob(name, entry.getSize());
      }
      if (name.equals(MANIFEST)) {
        byte[] manifest = Json.bytes(manifest(entry.getSize()));
        return file(MANIFEST, manifest.length, new ByteArrayInputStream(manifest));
      }
      if (!LEFT_OUT.contains(name)) {
        throw refused("it has an entry '%s'".formatted(name));
      }
      entry = entry();
    }
    ended = true;
    if (!seen.contains(MANIFEST)) {
      throw refused("it has no manifest");
    }
    return new ByteArrayInputStream(new byte[2 * BLOCK]);
  }

  private TarArchiveEntry entry() throws IOException {
    if (seen.size() > MAX_ENTRIES) {
      throw refused("it has more than %d entries".formatted(MAX_ENTRIES));
    }
    try {
      return in.getNextEntry();
    } catch (IllegalArgumentException | UncheckedIOException e) {
      throw refused("it is no tar archive: " + e.getMessage());
    }
  }

  private static boolean isPlainFile(TarArchiveEntry entry) {
    return entry.isFile()
        && !entry.isSymbolicLink()
        && !entry.isLink()
        && !entry.isSparse()
        && !entry.isFIFO()
        && !entry.isCharacterDevice()
        && !entry.isBlockDevice()
        && entry.getSize() >= 0;
  }

  private IOException refused(String why) {
    current = nullInputStream();
    refusal = Optional.of(why.replaceAll("[^\\x20-\\x7e]", "?"));
    return new IOException("The image archive is refused: " + refusal.get());
  }

  private InputStream blob(String name, long size) throws IOException {
    return file(name, size, new Contents(size));
  }

  /** A file as the engine sees it: with owner, mode and times of ours. */
  private static InputStream file(String name, long size, InputStream contents) throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name);
    entry.setSize(size);
    entry.setModTime(0);
    byte[] header = new byte[BLOCK];
    // With base-256 numbers, which Go's archive/tar reads: a blob may have more than 8 GiB.
    entry.writeEntryHeader(header, ASCII_NAMES, true);
    int padding = (int) ((BLOCK - size % BLOCK) % BLOCK);
    return new SequenceInputStream(
        new SequenceInputStream(new ByteArrayInputStream(header), contents),
        new ByteArrayInputStream(new byte[padding]));
  }

  private ArrayNode manifest(long size) throws IOException {
    if (size > MAX_MANIFEST_BYTES) {
      throw refused("its manifest has %d bytes".formatted(size));
    }
    JsonNode given;
    try {
      given = Json.parse(in.readNBytes((int) size));
    } catch (IOException | UncheckedIOException e) {
      throw refused("its manifest is no JSON");
    }
    if (!given.isArray() || given.size() != 1) {
      throw refused("its manifest does not describe one image");
    }
    JsonNode image = given.path(0);
    if (!image.path("Config").asText().equals(config)) {
      throw refused("its manifest describes another image than was announced");
    }
    ObjectNode ours = Json.object().put("Config", config);
    ArrayNode layers = ours.putArray("Layers");
    for (JsonNode layer : image.path("Layers")) {
      if (!layer.isTextual() || !BLOB.matcher(layer.textValue()).matches()) {
        throw refused("its manifest names a layer '%s'".formatted(layer.asText()));
      }
      layers.add(layer.textValue());
    }
    return Json.MAPPER.createArrayNode().add(ours);
  }

  /** Exactly the contents of the current entry. */
  private final class Contents extends InputStream {
    private long left;

    Contents(long size) {
      this.left = size;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int offset, int length) throws IOException {
      if (left == 0) {
        return -1;
      }
      int count = in.read(target, offset, (int) Math.min(length, left));
      if (count < 0) {
        throw new IOException("The image archive ends early");
      }
      left -= count;
      return count;
    }
  }
}

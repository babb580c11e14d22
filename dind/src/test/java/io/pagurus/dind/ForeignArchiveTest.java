package io.pagurus.dind;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The part of the hostile corpus that comes as an image. */
class ForeignArchiveTest {
  private static final String A = "a".repeat(64);
  private static final String B = "b".repeat(64);
  private static final String IMAGE = "sha256:" + A;
  private static final String MANIFEST =
      "[{'Config':'blobs/sha256/%s','RepoTags':['nginx:latest'],'Layers':['blobs/sha256/%s']}]"
          .formatted(A, B)
          .replace('\'', '"');

  @TempDir Path directory;

  /** Writes one archive. */
  private interface Writing {
    void to(TarArchiveOutputStream tar) throws IOException;
  }

  private static byte[] archive(Writing writing) throws IOException {
    var bytes = new ByteArrayOutputStream();
    try (var tar = new TarArchiveOutputStream(bytes)) {
      tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
      writing.to(tar);
    }
    return bytes.toByteArray();
  }

  private static void file(TarArchiveOutputStream tar, String name, String text)
      throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name, true);
    entry.setSize(text.getBytes(UTF_8).length);
    tar.putArchiveEntry(entry);
    tar.write(text.getBytes(UTF_8));
    tar.closeArchiveEntry();
  }

  private static void special(TarArchiveOutputStream tar, String name, byte type, String link)
      throws IOException {
    TarArchiveEntry entry = new TarArchiveEntry(name, type, true);
    entry.setLinkName(link);
    tar.putArchiveEntry(entry);
    tar.closeArchiveEntry();
  }

  private static void honest(TarArchiveOutputStream tar) throws IOException {
    special(tar, "blobs/", TarConstants.LF_DIR, "");
    special(tar, "blobs/sha256/", TarConstants.LF_DIR, "");
    file(tar, "blobs/sha256/" + A, "{}");
    file(tar, "blobs/sha256/" + B, "layer".repeat(1000));
    file(tar, "index.json", "{}");
    file(tar, "manifest.json", MANIFEST);
    file(tar, "oci-layout", "{}");
    file(tar, "repositories", "{'nginx':{'latest':'x'}}");
  }

  private static Map<String, String> filtered(byte[] archive) throws IOException {
    Map<String, String> files = new TreeMap<>();
    try (var foreign = new ForeignArchive(new ByteArrayInputStream(archive), IMAGE);
        var tar = new TarArchiveInputStream(foreign)) {
      for (TarArchiveEntry entry; (entry = tar.getNextEntry()) != null; ) {
        files.put(entry.getName(), new String(tar.readAllBytes(), UTF_8));
      }
    }
    return files;
  }

  @Test
  void theEngineGetsTheBlobsAndAManifestWithoutNames() throws IOException {
    assertEquals(
        Map.of(
            "blobs/sha256/" + A,
            "{}",
            "blobs/sha256/" + B,
            "layer".repeat(1000),
            "manifest.json",
            MANIFEST.replace("\"RepoTags\":[\"nginx:latest\"],", "")),
        filtered(archive(ForeignArchiveTest::honest)));
  }

  static Stream<Arguments> attempts() {
    return Stream.of(
        attempt("a file beside the archive", t -> file(t, "../x", "x"), "an entry '../x'"),
        attempt("an absolute path", t -> file(t, "/etc/passwd", "x"), "an entry '/etc/passwd'"),
        attempt("traversal behind a blob", t -> file(t, "blobs/sha256/../../x", ""), "an entry"),
        attempt("a blob with a short name", t -> file(t, "blobs/sha256/aa", ""), "an entry"),
        attempt("a blob of another hash", t -> file(t, "blobs/md5/" + A, ""), "an entry"),
        attempt("a name in capitals", t -> file(t, "Manifest.json", "[]"), "an entry"),
        attempt("a name with a dot in front", t -> file(t, "./manifest.json", "[]"), "an entry"),
        attempt("a layer of the old format", t -> file(t, A + "/layer.tar", ""), "an entry"),
        attempt("a name with an escape sequence", t -> file(t, "\u001b[2J", ""), "'?[2J'"),
        attempt("a symbolic link", t -> link(t, TarConstants.LF_SYMLINK), "no plain file"),
        attempt("a hard link", t -> link(t, TarConstants.LF_LINK), "no plain file"),
        attempt("a character device", t -> link(t, TarConstants.LF_CHR), "no plain file"),
        attempt("a block device", t -> link(t, TarConstants.LF_BLK), "no plain file"),
        attempt("a FIFO", t -> link(t, TarConstants.LF_FIFO), "no plain file"),
        attempt("a directory of its own", t -> dir(t, "etc/"), "no plain file"),
        attempt("a blob twice", t -> twice(t, "blobs/sha256/" + B, ""), "comes twice"),
        attempt("two manifests", t -> twice(t, "manifest.json", MANIFEST), "comes twice"),
        attempt("no manifest", t -> file(t, "blobs/sha256/" + B, ""), "no manifest"),
        attempt("nothing", t -> {}, "no manifest"),
        attempt("a manifest that is no JSON", t -> manifest(t, "{"), "no JSON"),
        attempt("a manifest that is no list", t -> manifest(t, "{}"), "one image"),
        attempt("a manifest of no image", t -> manifest(t, "[]"), "one image"),
        attempt("a second image", t -> manifest(t, "[{},{}]"), "one image"),
        attempt("another image", t -> manifest(t, MANIFEST.replace('a', 'c')), "another image"),
        attempt("an image by a path", t -> manifest(t, "[{\"Config\":\"../x\"}]"), "another"),
        attempt("a layer by a path", t -> manifest(t, layer("../../etc/shadow")), "a layer"),
        attempt("a layer that is a number", t -> manifest(t, layer("")), "a layer"),
        attempt("a manifest without end", t -> manifest(t, " ".repeat(2 << 20)), "manifest has"));
  }

  private static Arguments attempt(String name, Writing writing, String reason) {
    return Arguments.of(name, writing, reason);
  }

  private static void link(TarArchiveOutputStream tar, byte type) throws IOException {
    special(tar, "blobs/sha256/" + B, type, "/etc/shadow");
  }

  private static void dir(TarArchiveOutputStream tar, String name) throws IOException {
    special(tar, name, TarConstants.LF_DIR, "");
  }

  private static void twice(TarArchiveOutputStream tar, String name, String text)
      throws IOException {
    file(tar, name, text);
    file(tar, name, text);
  }

  private static void manifest(TarArchiveOutputStream tar, String text) throws IOException {
    file(tar, "manifest.json", text);
  }

  private static String layer(String name) {
    return MANIFEST.replace("blobs/sha256/" + B, name);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("attempts")
  void isRefusedBeforeTheEngineUnpacksIt(String name, Writing writing, String reason)
      throws IOException {
    byte[] archive = archive(writing);
    IOException e = assertThrows(IOException.class, () -> filtered(archive));
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }

  @Test
  void aRefusalIsNotTakenForAFaultOfTheEngine() throws IOException {
    byte[] archive = archive(tar -> file(tar, "../x", "x"));
    try (FakeEngine fake = new FakeEngine(directory.resolve("docker.sock"));
        EngineApi api = new EngineApi(fake.socket())) {
      fake.on("POST /images/load", FakeEngine.json("{'stream':'Loaded image: evil:1'}"));
      var refusal =
          assertThrows(
              ForeignArchiveException.class,
              () -> new ImageStore(api).load(new ByteArrayInputStream(archive), IMAGE));
      assertTrue(refusal.getMessage().contains("an entry '../x'"), refusal.getMessage());
    }
  }

  @Test
  void anArchiveThatHoldsAnotherImageIsRefused() throws IOException {
    byte[] archive = archive(ForeignArchiveTest::honest);
    try (FakeEngine fake = new FakeEngine(directory.resolve("docker.sock"));
        EngineApi api = new EngineApi(fake.socket())) {
      fake.on("POST /images/load", FakeEngine.json("{'stream':'Loaded image: evil:1'}"));
      var refusal =
          assertThrows(
              EngineException.class,
              () -> new ImageStore(api).load(new ByteArrayInputStream(archive), IMAGE));
      assertTrue(refusal.getMessage().contains("evil:1"), refusal.getMessage());
    }
  }

  /**
   * An honest archive, cut or with bytes changed, is refused or is still one image without names.
   */
  @Test
  void damagedArchivesFailAsDocumented() throws IOException {
    byte[] honest = archive(ForeignArchiveTest::honest);
    Random random = new Random(5);
    for (int i = 0; i < 2000; i++) {
      byte[] damaged =
          Arrays.copyOf(honest, i % 3 == 0 ? random.nextInt(honest.length) : honest.length);
      for (int flips = random.nextInt(6); flips > 0 && damaged.length > 0; flips--) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
      }
      try {
        Map<String, String> files = filtered(damaged);
        assertTrue(
            files.keySet().stream()
                .allMatch(n -> n.matches("blobs/sha256/[0-9a-f]{64}|manifest.json")),
            files::toString);
        assertTrue(!files.get("manifest.json").contains("nginx"), files::toString);
      } catch (IOException e) {
        // The documented way to fail.
      }
    }
  }
}

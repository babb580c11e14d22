package io.pagurus.dind;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.dind.FakeEngine.Answer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageStoreTest {
  private static final String A = "sha256:aa";
  private static final String B = "sha256:bb";
  private static final String C = "sha256:cc";

  @TempDir Path directory;
  private FakeEngine fake;
  private EngineApi api;
  private ImageStore images;

  @BeforeEach
  void start() throws IOException {
    fake = new FakeEngine(directory.resolve("docker.sock"));
    api = new EngineApi(fake.socket());
    images = new ImageStore(api);
  }

  @AfterEach
  void stop() throws IOException {
    api.close();
    fake.close();
  }

  @Test
  void chainIdOfTheFirstLayerIsItsOwnIdAndTheNextDependsOnIt() {
    // printf 'sha256:aa sha256:bb' | sha256sum
    assertEquals(
        List.of(A, "sha256:b68ad689d6d1ec110ea1c13617437ad6f3766d4b3b309f6a603a222e07a0164f"),
        ImageStore.chainIds(List.of(A, B)));
  }

  @Test
  void onlyLayersAboveTheCommonBeginningAreSent() throws IOException {
    image("sha256:1", A, B, C);
    Sent sent = export("sha256:1", Set.copyOf(ImageStore.chainIds(List.of(A, B))));
    assertEquals(Set.of("blobs/sha256/cc", "blobs/sha256/conf", "manifest.json"), sent.names());
    assertEquals(1, sent.export().layersSent());
    assertEquals(2, sent.export().layersSkipped());
  }

  @Test
  void layerOnAnotherChainIsSent() throws IOException {
    image("sha256:1", A, B);
    Sent sent = export("sha256:1", Set.copyOf(ImageStore.chainIds(List.of(B, A))));
    assertEquals(0, sent.export().layersSkipped());
    assertTrue(sent.names().containsAll(Set.of("blobs/sha256/aa", "blobs/sha256/bb")));
  }

  @Test
  void layerThatComesAgainAboveIsSentAlthoughItsFirstPlaceIsPresent() throws IOException {
    image("sha256:1", A, B, A);
    Sent sent = export("sha256:1", Set.copyOf(ImageStore.chainIds(List.of(A, B))));
    assertTrue(sent.names().contains("blobs/sha256/aa"));
    assertEquals(2, sent.export().layersSkipped());
  }

  @Test
  void presentChainsAreTheBeginningsOfAllImages() {
    image("sha256:1", A, B);
    fake.on("GET /images/json", FakeEngine.array(Json.object().put("Id", "sha256:1")));
    assertEquals(Set.copyOf(ImageStore.chainIds(List.of(A, B))), images.chainIds());
  }

  @Test
  void freeReferenceIsGivenAndATakenOneIsLeftAlone() {
    image("sha256:1", A);
    fake.on("POST /images/sha256:1/tag", r -> Answer.nothing());
    fake.on("GET /images/taken:1/json", Json.object().put("Id", "sha256:2"));
    fake.on("GET /images/equal:1/json", Json.object().put("Id", "sha256:1"));
    assertEquals("free:1", images.refer("free:1", "sha256:1"));
    assertEquals("sha256:1", images.refer("taken:1", "sha256:1"));
    assertEquals("equal:1", images.refer("equal:1", "sha256:1"));
    assertEquals("sha256:1", images.refer("app@sha256:99", "sha256:1"));
    assertEquals(1, fake.seen().stream().filter(request -> request.startsWith("POST")).count());
  }

  @Test
  void archivesAreLoadedOnceUntilTheyChangeOrTheirImageIsGone() throws IOException {
    Path archives = Files.createDirectory(directory.resolve("images"));
    Files.writeString(archives.resolve("a.tar"), "archive");
    Files.writeString(archives.resolve("notes.txt"), "not an archive");
    fake.on("POST /images/load", FakeEngine.json("{'stream':'Loaded image: app:1'}"));
    fake.on("GET /images/app:1/json", Json.object().put("Id", "sha256:1"));
    Path memory = directory.resolve("state/images.json");

    assertEquals(List.of(), new ImageArchives(api, archives, memory).load());
    assertEquals(List.of(), new ImageArchives(api, archives, memory).load());
    assertEquals(1, loads());

    Files.setLastModifiedTime(archives.resolve("a.tar"), FileTime.fromMillis(1));
    new ImageArchives(api, archives, memory).load();
    assertEquals(2, loads());

    fake.on("GET /images/app:1/json", r -> Answer.error(404, "No such image"));
    new ImageArchives(api, archives, memory).load();
    assertEquals(3, loads());
  }

  @Test
  void brokenArchiveIsToldAndTheOthersAreLoaded() throws IOException {
    Path archives = Files.createDirectory(directory.resolve("images"));
    Files.writeString(archives.resolve("a.tar"), "broken");
    Files.writeString(archives.resolve("b.tar.zst"), "fine");
    fake.on(
        "POST /images/load",
        r ->
            new String(r.body(), UTF_8).equals("broken")
                ? Answer.ok(FakeEngine.json("{'error':'unexpected EOF'}"))
                : Answer.ok(FakeEngine.json("{'stream':'Loaded image: app:1'}")));
    List<String> failures =
        new ImageArchives(api, archives, directory.resolve("images.json")).load();
    assertEquals(1, failures.size());
    assertTrue(failures.getFirst().contains("a.tar"), failures.getFirst());
    assertEquals(2, loads());
  }

  private long loads() {
    return fake.seen().stream().filter(request -> request.contains("/images/load")).count();
  }

  private record Sent(ImageExport export, Set<String> names) {}

  private Sent export(String imageId, Set<String> present) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageExport export = images.exportMissing(imageId, present, out);
    Map<String, String> entries = new TreeMap<>();
    try (TarArchiveInputStream in =
        new TarArchiveInputStream(new ByteArrayInputStream(out.toByteArray()))) {
      for (TarArchiveEntry entry; (entry = in.getNextEntry()) != null; ) {
        entries.put(entry.getName(), new String(in.readAllBytes(), UTF_8));
      }
    }
    entries.forEach((name, content) -> assertEquals("content of " + name, content));
    return new Sent(export, entries.keySet());
  }

  private void image(String id, String... layers) {
    ObjectNode image = Json.object().put("Id", id);
    Set<String> names = new TreeSet<>(List.of("manifest.json", "blobs/sha256/conf"));
    for (String layer : layers) {
      image.withObject("/RootFS").withArray("Layers").add(layer);
      names.add("blobs/sha256/" + layer.substring(7));
    }
    fake.on("GET /images/" + id + "/json", image);
    fake.on("GET /images/get", r -> new Answer(200, archive(names)));
  }

  private static byte[] archive(Set<String> names) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
      for (String name : names) {
        byte[] content = ("content of " + name).getBytes(UTF_8);
        TarArchiveEntry entry = new TarArchiveEntry(name);
        entry.setSize(content.length);
        tar.putArchiveEntry(entry);
        tar.write(content);
        tar.closeArchiveEntry();
      }
    }
    return bytes.toByteArray();
  }
}

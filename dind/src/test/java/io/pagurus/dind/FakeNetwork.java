package io.pagurus.dind;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.pagurus.dind.FakeEngine.Answer;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Containers on one network 10.1.0.0/24 that get the lowest free address at their start, before an
 * OCI runtime wrapper is asked which waits for a word in the container's directory.
 */
final class FakeNetwork {
  /** Host part of the address to the container's name. */
  final Map<Integer, String> used = new TreeMap<>();

  private final Map<String, String> names = new ConcurrentHashMap<>();
  private final AtomicInteger ids = new AtomicInteger();
  private final FakeEngine engine;
  private final Path restoreRoot;

  FakeNetwork(FakeEngine engine, Path restoreRoot) {
    this.engine = engine;
    this.restoreRoot = restoreRoot;
    engine.on(
        "GET /networks",
        r -> Answer.ok(FakeEngine.array(FakeEngine.json("{'Name':'net','Id':'net'}"))));
    engine.on("GET /networks/net", r -> Answer.ok(inspect()));
    engine.on("POST /containers/create", r -> Answer.json(201, created(r.path())));
  }

  /** A container that is created, not started. */
  String create(String name) {
    String id = "c" + ids.incrementAndGet();
    names.put(id, name);
    engine.on("POST /containers/" + id + "/start", r -> start(id));
    engine.on("DELETE /containers/" + id, r -> remove(id));
    return id;
  }

  /** The names of all containers, sorted. */
  List<String> containers() {
    return names.values().stream().sorted().toList();
  }

  private ObjectNode created(String path) {
    return Json.object().put("Id", create(path.replaceFirst(".*name=", "")));
  }

  private Answer start(String id) throws IOException {
    int address;
    synchronized (used) {
      address = 2;
      while (used.containsKey(address)) {
        address++;
      }
      used.put(address, id);
    }
    Path fifo = restoreRoot.resolve(id).resolve("go");
    if (Files.exists(fifo)) {
      try (BufferedReader reader = Files.newBufferedReader(fifo)) {
        String word = reader.readLine();
        if (!mayStart(word)) {
          synchronized (used) {
            used.remove(address);
          }
          return Answer.error(500, "OCI runtime create failed: told to " + word);
        }
      }
    }
    return Answer.nothing();
  }

  /** A restore waits once more, as CRIU does when it is loaded. */
  private boolean mayStart(String word) throws IOException {
    if (word == null || !word.startsWith("restore /images ")) {
      return "create".equals(word);
    }
    Path work = Path.of(word.split(" ", 3)[2]);
    try (InputStream go = Files.newInputStream(work.resolve("go"))) {
      Files.write(work.resolve("status"), new byte[] {'w'});
      return go.read() == 'l';
    }
  }

  private Answer remove(String id) {
    names.remove(id);
    return Answer.nothing();
  }

  private ObjectNode inspect() {
    ObjectNode network =
        FakeEngine.json(
            "{'Name':'net','Id':'net','Driver':'bridge','IPAM':{'Config':[{'Subnet':'10.1.0.0/24','Gateway':'10.1.0.1'}]}}");
    ObjectNode containers = network.putObject("Containers");
    synchronized (used) {
      used.forEach(
          (address, id) ->
              containers
                  .putObject(id)
                  .put("Name", names.getOrDefault(id, id))
                  .put("IPv4Address", "10.1.0." + address + "/24"));
    }
    return network;
  }
}

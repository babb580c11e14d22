package io.pagurus.dind;

import static java.util.Objects.requireNonNull;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.github.dockerjava.transport.DockerHttpClient;
import com.github.dockerjava.zerodep.ZerodepDockerHttpClient;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The inner engine's HTTP API over its Unix socket, as raw JSON: docker-java's own commands drop
 * the fields that they don't know, and a container recreated without them is another container.
 * Only docker-java's transport is used; it keeps connections alive, since {@link #pause} is part of
 * the downtime.
 *
 * <p>All methods block and are safe to use from many threads. They throw {@link EngineException}
 * when the engine refuses and {@link EngineUnreachableException} when it doesn't answer.
 *
 * @see <a href="https://docs.docker.com/reference/api/engine/version/v1.45/">Engine API 1.45</a>
 */
public final class EngineApi implements AutoCloseable {
  public static final Path DEFAULT_SOCKET = Path.of("/var/run/docker.sock");

  /** Pinned, so that a newer engine keeps the meaning of every field. Docker 26.1 speaks it. */
  private static final String VERSION = "/v1.45";

  /** Held starts and event streams each occupy a connection for their whole life. */
  private static final int MAX_CONNECTIONS = 256;

  private final Path socket;
  private final DockerHttpClient http;

  public EngineApi(Path socket) {
    this.socket = requireNonNull(socket, "socket is null");
    this.http =
        new ZerodepDockerHttpClient.Builder()
            .dockerHost(URI.create("unix://" + socket))
            .maxConnections(MAX_CONNECTIONS)
            .build();
  }

  public static EngineApi local() {
    return new EngineApi(DEFAULT_SOCKET);
  }

  // --- the engine

  /** Whether the engine answers at this moment. */
  public boolean ping() {
    try {
      send("GET", "/_ping", new byte[0]);
      return true;
    } catch (EngineException e) {
      return false;
    }
  }

  public ObjectNode version() {
    return object("GET", "/version");
  }

  public ObjectNode info() {
    return object("GET", "/info");
  }

  /**
   * Subscribes to the engine's events.
   *
   * @param filters for instance {@code {"type": ["container"], "event": ["die"]}}
   * @param listener called on the subscription's own thread, one event at a time
   */
  public EventSubscription events(ObjectNode filters, Consumer<ObjectNode> listener) {
    String path = "/events?filters=" + encode(filters.toString());
    return new EventSubscription(open("GET", path, InputStream.nullInputStream(), false), listener);
  }

  // --- containers

  /**
   * What {@code docker inspect} prints. Blocks while a start of the same container is under way.
   */
  public ObjectNode inspect(String nameOrId) {
    return object("GET", "/containers/" + encode(nameOrId) + "/json");
  }

  /** Like {@link #inspect}, empty when there is no such container. */
  public Optional<ObjectNode> find(String nameOrId) {
    return unlessMissing(() -> inspect(nameOrId));
  }

  /**
   * @param all also those that don't run
   */
  public List<ObjectNode> list(boolean all) {
    return Json.objects(json("GET", "/containers/json?all=" + all));
  }

  /** Containers, running or not, that carry a label ({@code key} or {@code key=value}). */
  public List<ObjectNode> listLabelled(String label) {
    ObjectNode filters = Json.object();
    filters.putArray("label").add(label);
    return Json.objects(
        json("GET", "/containers/json?all=true&filters=" + encode(filters.toString())));
  }

  /** Creates a container and returns its id. Warnings of the engine are dropped. */
  public String create(String name, ObjectNode body) {
    return object("POST", "/containers/create?name=" + encode(name), body).path("Id").asText();
  }

  /** Returns when the OCI runtime's {@code create} and {@code start} have ended. */
  public void start(String id) {
    post("/containers/" + encode(id) + "/start");
  }

  public void pause(String id) {
    post("/containers/" + encode(id) + "/pause");
  }

  public void unpause(String id) {
    post("/containers/" + encode(id) + "/unpause");
  }

  /** Sends its stop signal, then SIGKILL after the limit; rounded up to seconds. */
  public void stop(String id, Duration limit) {
    post("/containers/" + encode(id) + "/stop?t=" + (limit.toMillis() + 999) / 1000);
  }

  /**
   * @param signal for instance {@code SIGKILL}
   */
  public void kill(String id, String signal) {
    post("/containers/" + encode(id) + "/kill?signal=" + encode(signal));
  }

  /**
   * @param force kill it first when it runs
   * @param volumes remove its anonymous volumes too
   */
  public void remove(String id, boolean force, boolean volumes) {
    String options = "?force=" + force + "&v=" + volumes;
    send("DELETE", "/containers/" + encode(id) + options, new byte[0]);
  }

  public void rename(String id, String name) {
    post("/containers/" + encode(id) + "/rename?name=" + encode(name));
  }

  /** Replaces the restart policy: an object with {@code Name} and {@code MaximumRetryCount}. */
  public void update(String id, ObjectNode restartPolicy) {
    ObjectNode body = Json.object();
    body.set("RestartPolicy", restartPolicy);
    object("POST", "/containers/" + encode(id) + "/update", body);
  }

  /** Blocks until the container doesn't run any more and returns its exit code. */
  public int waitExit(String id) {
    return object("POST", "/containers/" + encode(id) + "/wait?condition=not-running")
        .path("StatusCode")
        .asInt();
  }

  // --- images

  public List<ObjectNode> images() {
    return Json.objects(json("GET", "/images/json?all=true"));
  }

  public ObjectNode imageInspect(String reference) {
    return object("GET", "/images/" + imagePath(reference) + "/json");
  }

  /** Like {@link #imageInspect}, empty when there is no such image. */
  public Optional<ObjectNode> findImage(String reference) {
    return unlessMissing(() -> imageInspect(reference));
  }

  /**
   * @param image id or reference
   * @param reference {@code repository:tag}
   */
  public void tag(String image, String reference) {
    int colon = reference.lastIndexOf(':');
    boolean tagged = colon > reference.lastIndexOf('/');
    String repository = tagged ? reference.substring(0, colon) : reference;
    String tag = tagged ? reference.substring(colon + 1) : "latest";
    String path = "/images/" + imagePath(image) + "/tag";
    post(path + "?repo=" + encode(repository) + "&tag=" + encode(tag));
  }

  /** Removes a reference, and the image with its last one. */
  public void removeImage(String reference) {
    send("DELETE", "/images/" + imagePath(reference), new byte[0]);
  }

  /** What {@code docker save} writes: a tar archive. The caller closes the stream. */
  InputStream save(String image) {
    String path = "/images/get?names=" + encode(image);
    return new Body(open("GET", path, InputStream.nullInputStream(), false));
  }

  /**
   * What {@code docker load} does.
   *
   * @return the engine's messages, for instance {@code Loaded image: redis:8}
   */
  List<String> load(InputStream archive) {
    List<String> messages = new ArrayList<>();
    try (DockerHttpClient.Response response = open("POST", "/images/load?quiet=1", archive, true);
        var values = Json.MAPPER.readerFor(ObjectNode.class).readValues(response.getBody())) {
      while (values.hasNext()) {
        ObjectNode message = (ObjectNode) values.next();
        if (message.has("error")) {
          throw new EngineException(
              response.getStatusCode(), "Cannot load image: " + message.path("error").asText());
        }
        messages.add(message.path("stream").asText().strip());
      }
      return List.copyOf(messages);
    } catch (IOException e) {
      throw unreachable("POST /images/load", e);
    }
  }

  // --- networks and volumes

  public List<ObjectNode> networks() {
    return Json.objects(json("GET", "/networks"));
  }

  public ObjectNode networkInspect(String nameOrId) {
    return object("GET", "/networks/" + encode(nameOrId));
  }

  /** Creates a network and returns its id. */
  public String networkCreate(ObjectNode body) {
    return object("POST", "/networks/create", body).path("Id").asText();
  }

  public void networkRemove(String nameOrId) {
    send("DELETE", "/networks/" + encode(nameOrId), new byte[0]);
  }

  public List<ObjectNode> volumes() {
    return Json.objects(json("GET", "/volumes").path("Volumes"));
  }

  public ObjectNode volumeInspect(String name) {
    return object("GET", "/volumes/" + encode(name));
  }

  /** Like {@link #volumeInspect}, empty when there is no such volume. */
  public Optional<ObjectNode> findVolume(String name) {
    return unlessMissing(() -> volumeInspect(name));
  }

  /** Creates a volume, or returns the existing one of the same name and driver. */
  public ObjectNode volumeCreate(ObjectNode body) {
    return object("POST", "/volumes/create", body);
  }

  public void volumeRemove(String name) {
    send("DELETE", "/volumes/" + encode(name), new byte[0]);
  }

  @Override
  public void close() {
    try {
      http.close();
    } catch (IOException e) {
      // Connections of a client that nobody uses any more; the process's end closes them too.
    }
  }

  // --- requests

  private void post(String path) {
    send("POST", path, new byte[0]);
  }

  private ObjectNode object(String method, String path) {
    return (ObjectNode) json(method, path);
  }

  private ObjectNode object(String method, String path, ObjectNode body) {
    return (ObjectNode) Json.parse(send(method, path, Json.bytes(body)));
  }

  private JsonNode json(String method, String path) {
    return Json.parse(send(method, path, new byte[0]));
  }

  private byte[] send(String method, String path, byte[] body) {
    DockerHttpClient.Request request =
        request(method, path).putHeader("Content-Type", "application/json").bodyBytes(body).build();
    try (DockerHttpClient.Response response = answer(request)) {
      // Read to the end: a connection closed before that can't be used again.
      return response.getBody().readAllBytes();
    } catch (IOException e) {
      throw unreachable(method + " " + path, e);
    }
  }

  private DockerHttpClient.Response open(
      String method, String path, InputStream body, boolean withBody) {
    DockerHttpClient.Request.Builder request = request(method, path);
    if (withBody) {
      request.putHeader("Content-Type", "application/x-tar").body(body);
    }
    return answer(request.build());
  }

  private static DockerHttpClient.Request.Builder request(String method, String path) {
    DockerHttpClient.Request.Builder builder = DockerHttpClient.Request.builder();
    builder.method(method).path(VERSION + path);
    return builder;
  }

  private DockerHttpClient.Response answer(DockerHttpClient.Request request) {
    String what = request.method() + " " + request.path().replaceFirst("\\?.*", "");
    DockerHttpClient.Response response;
    try {
      response = http.execute(request);
    } catch (RuntimeException e) {
      // The transport wraps every IOException in a bare RuntimeException.
      if (e.getCause() instanceof IOException cause) {
        throw unreachable(what, cause);
      }
      throw e;
    }
    int status = response.getStatusCode();
    // 304: started, stopped or paused already, which is what was asked for.
    if (status < 400) {
      return response;
    }
    try (response) {
      String answer = new String(response.getBody().readAllBytes(), StandardCharsets.UTF_8);
      throw new EngineException(status, what + ": " + message(answer));
    } catch (IOException e) {
      throw unreachable(what, e);
    }
  }

  private static String message(String answer) {
    // Errors are {"message": "..."}; a proxy or a dying engine may answer in plain text.
    try {
      return Json.MAPPER.readTree(answer).path("message").asText(answer).strip();
    } catch (IOException e) {
      return answer.strip();
    }
  }

  private EngineUnreachableException unreachable(String what, IOException cause) {
    return new EngineUnreachableException(
        "The inner engine does not answer at "
            + socket
            + " ("
            + what
            + "): "
            + cause.getMessage()
            + ". See its log, or wait until it has restarted.",
        cause);
  }

  private static <T> Optional<T> unlessMissing(Supplier<T> request) {
    try {
      return Optional.of(request.get());
    } catch (EngineException e) {
      if (e.isNotFound()) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** The engine's router takes the slashes and colons of an image reference as they are. */
  private static String imagePath(String reference) {
    return encode(reference).replace("%2F", "/").replace("%3A", ":").replace("%40", "@");
  }

  /** A response body that closes its response. */
  private static final class Body extends FilterInputStream {
    private final DockerHttpClient.Response response;

    Body(DockerHttpClient.Response response) {
      super(response.getBody());
      this.response = response;
    }

    @Override
    public void close() {
      response.close();
    }
  }
}

package io.pagurus.dind;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.URLDecoder;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Speaks HTTP/1.1 on a Unix socket and answers what a test told it to. Unknown requests get 404.
 */
final class FakeEngine implements AutoCloseable {
  /** A request as it arrived: the path without the version, decoded. */
  @SuppressWarnings("ArrayRecordComponent")
  record Request(String method, String path, byte[] body) {
    JsonNode json() {
      return Json.parse(body);
    }
  }

  @SuppressWarnings("ArrayRecordComponent")
  record Answer(int status, byte[] body) {
    static Answer json(int status, JsonNode body) {
      return new Answer(status, Json.bytes(body));
    }

    static Answer ok(JsonNode body) {
      return json(200, body);
    }

    static Answer nothing() {
      return new Answer(204, new byte[0]);
    }

    static Answer error(int status, String message) {
      return json(status, Json.object().put("message", message));
    }
  }

  interface Handler {
    Answer answer(Request request) throws IOException;
  }

  final List<Request> requests = new CopyOnWriteArrayList<>();
  final AtomicInteger connections = new AtomicInteger();

  private final Map<String, Handler> handlers = new ConcurrentHashMap<>();
  private final List<SocketChannel> open = new CopyOnWriteArrayList<>();
  private final Path socket;
  private final ServerSocketChannel server;

  FakeEngine(Path socket) throws IOException {
    this.socket = socket;
    Files.deleteIfExists(socket);
    server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    Thread.ofPlatform().daemon().start(this::accept);
    on("GET /_ping", request -> new Answer(200, "OK".getBytes(UTF_8)));
    on("GET /version", request -> Answer.ok(Json.object().put("Version", "26.1.5")));
  }

  Path socket() {
    return socket;
  }

  /**
   * @param what method and path, without the query
   */
  void on(String what, Handler handler) {
    handlers.put(what, handler);
  }

  void on(String what, JsonNode body) {
    on(what, request -> Answer.ok(body));
  }

  static ArrayNode array(JsonNode... elements) {
    return Json.MAPPER.createArrayNode().addAll(List.of(elements));
  }

  static ObjectNode json(String text) {
    return (ObjectNode) Json.parse(text.replace('\'', '"').getBytes(UTF_8));
  }

  List<String> seen() {
    return requests.stream().map(request -> request.method() + " " + request.path()).toList();
  }

  @Override
  public void close() throws IOException {
    server.close();
    for (SocketChannel channel : open) {
      channel.close();
    }
    Files.deleteIfExists(socket);
  }

  private void accept() {
    while (true) {
      try {
        SocketChannel channel = server.accept();
        connections.incrementAndGet();
        open.add(channel);
        Thread.ofPlatform().daemon().start(() -> serve(channel));
      } catch (IOException e) {
        return;
      }
    }
  }

  private void serve(SocketChannel channel) {
    try (channel) {
      InputStream in = new BufferedInputStream(Channels.newInputStream(channel));
      OutputStream out = Channels.newOutputStream(channel);
      for (String line = line(in); !line.isEmpty(); line = line(in)) {
        String[] words = line.split(" ", -1);
        Request request =
            new Request(
                words[0],
                URLDecoder.decode(words[1].replaceFirst("^/v[0-9.]+", ""), UTF_8),
                body(in));
        requests.add(request);
        Answer answer = answer(request);
        String head =
            "HTTP/1.1 %d Said\r\nContent-Type: application/json\r\n".formatted(answer.status());
        if (answer.status() != 204) {
          head += "Content-Length: " + answer.body().length + "\r\n";
        }
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        whole.writeBytes((head + "\r\n").getBytes(UTF_8));
        whole.writeBytes(answer.body());
        out.write(whole.toByteArray());
      }
    } catch (IOException e) {
      // The client or close() ended the connection.
    }
  }

  private Answer answer(Request request) throws IOException {
    String key = request.method() + " " + request.path().replaceFirst("\\?.*", "");
    Handler handler = handlers.get(key);
    return handler == null ? Answer.error(404, "No such object: " + key) : handler.answer(request);
  }

  private static byte[] body(InputStream in) throws IOException {
    int length = 0;
    boolean chunked = false;
    for (String header = line(in); !header.isEmpty(); header = line(in)) {
      String lower = header.toLowerCase(Locale.ROOT);
      if (lower.startsWith("content-length:")) {
        length = Integer.parseInt(header.substring(15).strip());
      }
      chunked |= lower.startsWith("transfer-encoding:") && lower.endsWith("chunked");
    }
    if (!chunked) {
      return in.readNBytes(length);
    }
    ByteArrayOutputStream body = new ByteArrayOutputStream();
    for (int size = -1; size != 0; ) {
      size = Integer.parseInt(line(in), 16);
      body.writeBytes(in.readNBytes(size));
      line(in);
    }
    return body.toByteArray();
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c >= 0 && c != '\n'; c = in.read()) {
      if (c != '\r') {
        line.append((char) c);
      }
    }
    return line.toString();
  }

  static ObjectNode resource(String name) {
    try (InputStream in = FakeEngine.class.getResourceAsStream(name)) {
      return (ObjectNode) Json.parse(in.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

package io.pagurus.cli;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * Asks the runtime over its Unix socket: one HTTP/1.1 request per connection (RFC 9112). The JDK's
 * own client knows no Unix sockets, and others take longer to load than the request takes.
 */
final class ApiClient {
  private final Path socket;

  ApiClient(Path socket) {
    this.socket = socket;
  }

  byte[] get(String path) {
    return request("GET", path, Optional.empty());
  }

  byte[] post(String path, Node body) {
    return request("POST", path, Optional.of(body));
  }

  byte[] delete(String path) {
    return request("DELETE", path, Optional.empty());
  }

  /**
   * Reads server-sent events until the consumer has enough or the stream ends.
   *
   * @param wantsMore gets the data of each event
   */
  void follow(String path, Predicate<Node> wantsMore) {
    try (SocketChannel channel = connect()) {
      InputStream body = send(channel, "GET", path, Optional.empty());
      for (String line = line(body); ; line = line(body)) {
        if (line.startsWith("data: ")
            && !wantsMore.test(
                Node.parse(line.substring("data: ".length()).getBytes(StandardCharsets.UTF_8)))) {
          return;
        }
      }
    } catch (EOFException e) {
      // The runtime ended the stream; the caller asks for the state.
    } catch (IOException e) {
      throw lost(e);
    }
  }

  private byte[] request(String method, String path, Optional<Node> body) {
    try (SocketChannel channel = connect()) {
      return send(channel, method, path, body).readAllBytes();
    } catch (IOException e) {
      throw lost(e);
    }
  }

  private SocketChannel connect() {
    try {
      SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      channel.connect(UnixDomainSocketAddress.of(socket));
      return channel;
    } catch (IOException e) {
      throw new MigrationException(
          FailureCode.ENGINE_UNAVAILABLE,
          "The runtime doesn't answer on %s (%s). It runs in an outer container: start one with image/outer, or see its log with `docker logs NAME`."
              .formatted(socket, e.getMessage()),
          e);
    }
  }

  private MigrationException lost(IOException e) {
    return new MigrationException(
        FailureCode.ENGINE_UNAVAILABLE,
        "The runtime stopped answering on %s: %s. See its log with `docker logs NAME`; `pagurus history` tells how a migration ended once it is back."
            .formatted(socket, e.getMessage()),
        e);
  }

  /** Sends a request and returns the body of a successful answer. */
  private static InputStream send(
      SocketChannel channel, String method, String path, Optional<Node> body) throws IOException {
    byte[] content =
        body.map(node -> node.json().getBytes(StandardCharsets.UTF_8)).orElse(new byte[0]);
    String head =
        "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            .formatted(method, path, content.length);
    ByteBuffer request =
        ByteBuffer.allocate(head.length() + content.length)
            .put(head.getBytes(StandardCharsets.US_ASCII))
            .put(content)
            .flip();
    while (request.hasRemaining()) {
      channel.write(request);
    }

    var in = new BufferedInputStream(Channels.newInputStream(channel));
    String[] status = line(in).split(" ", 3);
    long length = -1;
    boolean chunked = false;
    for (String header = line(in); !header.isEmpty(); header = line(in)) {
      String lower = header.toLowerCase(Locale.ROOT);
      if (lower.startsWith("content-length:")) {
        length = Long.parseLong(lower.substring("content-length:".length()).strip());
      }
      chunked |= lower.startsWith("transfer-encoding:") && lower.endsWith("chunked");
    }
    InputStream answer = chunked ? new Chunks(in) : length < 0 ? in : new Limited(in, length);
    if (status.length < 2 || !status[1].startsWith("2")) {
      throw failure(Node.parse(answer.readAllBytes()));
    }
    return answer;
  }

  private static MigrationException failure(Node error) {
    FailureCode code =
        Arrays.stream(FailureCode.values())
            .filter(known -> known.name().equals(error.text("code")))
            .findFirst()
            .orElse(FailureCode.INTERNAL);
    return new MigrationException(code, error.text("message"));
  }

  /** A line without its end, CR LF or LF. */
  private static String line(InputStream in) throws IOException {
    var line = new ByteArrayOutputStream();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        throw new EOFException("The answer ended early");
      }
      line.write(next);
    }
    String text = line.toString(StandardCharsets.UTF_8);
    return text.endsWith("\r") ? text.substring(0, text.length() - 1) : text;
  }

  /** A body of known length. */
  private static final class Limited extends InputStream {
    private final InputStream in;
    private long left;

    Limited(InputStream in, long length) {
      this.in = in;
      this.left = length;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (left == 0) {
        return -1;
      }
      int count = in.read(bytes, offset, (int) Math.min(length, left));
      if (count < 0) {
        throw new EOFException("The answer ended early");
      }
      left -= count;
      return count;
    }
  }

  /** A body in chunks, RFC 9112 section 7.1. */
  private static final class Chunks extends InputStream {
    private final InputStream in;
    private long left;
    private boolean ended;

    Chunks(InputStream in) {
      this.in = in;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
      if (left == 0 && !ended) {
        left = Long.parseLong(line(in).split(";", 2)[0].strip(), 16);
        ended = left == 0;
      }
      if (ended) {
        return -1;
      }
      int count = in.read(bytes, offset, (int) Math.min(length, left));
      if (count < 0) {
        throw new EOFException("The answer ended early");
      }
      left -= count;
      if (left == 0) {
        line(in); // the line end after each chunk
      }
      return count;
    }
  }
}

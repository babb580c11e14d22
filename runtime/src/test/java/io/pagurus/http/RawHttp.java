package io.pagurus.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Speaks HTTP/1.1 byte by byte, so that tests can also speak it badly. */
final class RawHttp {
  private RawHttp() {}

  /** What came back until the server closed the connection. */
  record Answer(int status, String head, String body) {}

  static Answer get(Path socket, String path) throws IOException {
    return send(socket, "GET", path, "");
  }

  static Answer send(Path socket, String method, String path, String body) throws IOException {
    try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(socket))) {
      return exchange(
          Channels.newInputStream(channel),
          Channels.newOutputStream(channel),
          request(method, path, "", body));
    }
  }

  static String request(String method, String path, String headers, String body) {
    return "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s"
        .formatted(method, path, headers, body.getBytes(StandardCharsets.UTF_8).length, body);
  }

  static Answer exchange(InputStream in, OutputStream out, String request) throws IOException {
    out.write(request.getBytes(StandardCharsets.UTF_8));
    out.flush();
    String answer = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    int end = answer.indexOf("\r\n\r\n");
    if (end < 0) {
      throw new IOException("Closed without an answer: '" + answer + "'");
    }
    return new Answer(
        Integer.parseInt(answer.split(" ", 3)[1]),
        answer.substring(0, end),
        answer.substring(end + 4));
  }
}

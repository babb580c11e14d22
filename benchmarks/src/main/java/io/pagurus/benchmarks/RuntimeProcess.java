package io.pagurus.benchmarks;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The runtime's process inside an outer container: what procfs and its own metrics tell of it. */
final class RuntimeProcess {
  private static final Pattern FIELD = Pattern.compile("^(\\w+):\\s+(\\d+) kB$", Pattern.MULTILINE);
  private static final Pattern METRIC =
      Pattern.compile("^([a-z_]+(?:\\{.*\\})?) ([-+.\\dE]+)$", Pattern.MULTILINE);
  private static final String FIND = "pid=$(pgrep -o -f 'java .*pagurus-runtime.jar serve') && ";

  /** Prints its status. */
  static final String SHOW = FIND + "cat /proc/$pid/status";

  /** Lets VmHWM start anew: proc(5), clear_refs, value 5. */
  static final String FORGET_PEAK = FIND + "echo 5 > /proc/$pid/clear_refs";

  private RuntimeProcess() {}

  /** Reads the fields that are in KiB. */
  static Map<String, Long> status(String text) {
    Map<String, Long> fields = new HashMap<>();
    Matcher field = FIELD.matcher(text);
    while (field.find()) {
      fields.put(field.group(1), Long.parseLong(field.group(2)));
    }
    return fields;
  }

  /** Reads Prometheus' text format: names with their labels, and values. */
  static Map<String, Double> metrics(String text) {
    Map<String, Double> values = new HashMap<>();
    Matcher line = METRIC.matcher(text.replace("\r", ""));
    while (line.find()) {
      values.put(line.group(1), Double.parseDouble(line.group(2)));
    }
    return values;
  }

  /**
   * Asks a runtime for its metrics, through its Unix socket as seen from the host: the wrapper
   * image has no HTTP client, and its port wants credentials.
   *
   * @param pid of the outer container's first process, on the host
   * @return nothing unless this is the engine's host, and we are root there
   */
  static Map<String, Double> metrics(long pid) {
    Path socket = Path.of("/proc/" + pid + "/root/run/pagurus/api.sock");
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(socket));
      channel.write(
          ByteBuffer.wrap(
              "GET /metrics HTTP/1.1\r\nHost: runtime\r\nConnection: close\r\n\r\n"
                  .getBytes(StandardCharsets.US_ASCII)));
      return metrics(
          new String(Channels.newInputStream(channel).readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException notHere) {
      return Map.of();
    }
  }
}

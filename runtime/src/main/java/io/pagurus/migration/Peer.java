package io.pagurus.migration;

import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.journal.WayBack;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Features;
import io.pagurus.protocol.FrameConnection;
import io.pagurus.protocol.Message;
import io.pagurus.protocol.Message.Hello;
import io.pagurus.protocol.Message.Role;
import io.pagurus.protocol.Version;
import io.pagurus.transfer.ArtifactSender;
import io.pagurus.transfer.Bandwidth;
import io.pagurus.trust.PeerDialer;
import io.pagurus.trust.Proof;
import io.pagurus.trust.Target;
import io.pagurus.trust.Ticket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import javax.net.ssl.SSLSocket;

/**
 * The destination as the source sees it: one control connection, and bulk connections on demand.
 */
final class Peer implements AutoCloseable {
  private static final HexFormat HEX = HexFormat.of();
  private static final int BUFFER_BYTES = 1 << 20;
  private static final Duration GREETING_LIMIT = Duration.ofSeconds(30);

  /** For the last word about an artifact: an image of many GiB may still be unpacked. */
  private static final Duration APPLY_LIMIT = Duration.ofMinutes(15);

  private static final Duration EXPLANATION_LIMIT = Duration.ofSeconds(2);

  private final PeerDialer dialer;
  private final SSLSocket socket;
  private final FrameConnection control;
  private final Target target;
  private final String migration;
  private final Message.Welcome welcome;
  private final AtomicInteger artifacts = new AtomicInteger();
  private final List<ArtifactSender> bulk = new ArrayList<>();
  private final BlockingQueue<Heard> heard = new LinkedBlockingQueue<>();
  private Optional<Heartbeat> heartbeat = Optional.empty();
  private volatile Consumer<Message.Wanted> wanted =
      page -> {
        throw new MigrationException(PROTOCOL, "The destination wants pages that it has.");
      };

  /** What the destination said, or how its connection ended. */
  private sealed interface Heard {
    record Said(Message message) implements Heard {}

    record Ended(MigrationException how) implements Heard {}
  }

  private Peer(
      PeerDialer dialer,
      SSLSocket socket,
      FrameConnection control,
      Target target,
      String migration,
      Message.Welcome welcome) {
    this.dialer = dialer;
    this.socket = socket;
    this.control = control;
    this.target = target;
    this.migration = migration;
    this.welcome = welcome;
  }

  /**
   * Connects, proves the ticket's secret if there is one, and learns who answers.
   *
   * @param source name of this outer container
   * @throws MigrationException PEER_UNREACHABLE, UNAUTHORIZED or INCOMPATIBLE_PEER
   */
  static Peer connect(
      PeerDialer dialer, Target target, String migration, String source, String service) {
    SSLSocket socket = dialer.dial(target.addresses(), target.fingerprint());
    try {
      FrameConnection control = open(socket, GREETING_LIMIT);
      byte[] nonce = Proof.nonce();
      String ticketId = target.ticket().map(Ticket::id).orElse("");
      control.send(
          new Hello(Version.CURRENT, Role.CONTROL, migration, ticketId, HEX.formatHex(nonce)));
      Message.Challenge challenge = control.expect(Message.Challenge.class);
      Version.agree(challenge.version());
      String proof =
          target
              .ticket()
              .map(ticket -> Proof.of(ticket, HEX.parseHex(challenge.nonce()), nonce))
              .map(HEX::formatHex)
              .orElse("");
      control.send(new Message.Prove(source, service, proof));
      Message.Welcome welcome = control.expect(Message.Welcome.class);
      Peer peer = new Peer(dialer, socket, control, target, migration, welcome);
      peer.listen();
      return peer;
    } catch (RuntimeException e) {
      closeQuietly(socket);
      throw e;
    }
  }

  /** Whatever this side does meanwhile: only who listens can notice silence. */
  private void listen() {
    silenceUnlimited();
    Thread.ofVirtual()
        .name("ear-" + migration)
        .start(
            () -> {
              try {
                while (true) {
                  hear(control.receive());
                }
              } catch (MigrationException e) {
                heard.add(new Heard.Ended(e));
              }
            });
  }

  private void silenceUnlimited() {
    try {
      socket.setSoTimeout(0);
    } catch (SocketException e) {
      throw new MigrationException(PEER_UNREACHABLE, "The destination hung up.", e);
    }
  }

  private void hear(Message message) {
    if (message instanceof Message.Wanted page) {
      wanted.accept(page);
    } else {
      heard.add(new Heard.Said(message));
    }
  }

  /**
   * From here on both sides tell each other that they live.
   *
   * @param patience how long the destination may say nothing, as it holds at present
   * @param silent told why when it has; whatever waits for its word ends then
   */
  void watch(Supplier<Duration> patience, Consumer<MigrationException> silent) {
    heartbeat =
        Optional.of(
            Heartbeat.start(
                migration,
                () -> control,
                patience,
                (connection, limit) -> {
                  var why =
                      new MigrationException(
                          PEER_UNREACHABLE,
                          "The destination has said nothing for %d s."
                              .formatted(limit.toSeconds()));
                  silent.accept(why);
                  heard.add(new Heard.Ended(why));
                }));
  }

  static FrameConnection open(SSLSocket socket, Duration silence) {
    try {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout((int) silence.toMillis());
      return FrameConnection.dialled(
          new java.io.BufferedInputStream(socket.getInputStream(), BUFFER_BYTES >> 4),
          socket.getOutputStream());
    } catch (IOException e) {
      throw new MigrationException(
          PEER_UNREACHABLE, "The destination hung up: " + e.getMessage() + ".", e);
    }
  }

  String name() {
    return welcome.name();
  }

  /** How to reach it again should this connection be lost. */
  WayBack wayBack() {
    return new WayBack(target.addresses(), target.fingerprint(), welcome.token());
  }

  /** What the destination's machine offers. */
  Features features() {
    return welcome.features();
  }

  /** Who is told of pages that the restored processes wait for. */
  void onWanted(Consumer<Message.Wanted> listener) {
    wanted = listener;
  }

  /** Opens one more connection for artifacts. */
  ArtifactSender openBulk(Bandwidth bandwidth, LongConsumer progress) {
    ArtifactSender sender =
        openBulk(
            dialer.dial((InetSocketAddress) socket.getRemoteSocketAddress(), target.fingerprint()),
            migration,
            welcome.token(),
            bandwidth,
            artifacts,
            progress);
    bulk.add(sender);
    return sender;
  }

  static ArtifactSender openBulk(
      SSLSocket connection,
      String migration,
      String token,
      Bandwidth bandwidth,
      AtomicInteger artifacts,
      LongConsumer progress) {
    try {
      FrameConnection frames = open(connection, APPLY_LIMIT);
      frames.send(new Hello(Version.CURRENT, Role.BULK, migration, token, ""));
      frames.expect(Message.Welcome.class);
      return new ArtifactSender(frames, connection, bandwidth, artifacts, progress);
    } catch (RuntimeException e) {
      closeQuietly(connection);
      throw e;
    }
  }

  /** Numbers of its artifacts so far. */
  AtomicInteger artifacts() {
    return artifacts;
  }

  /** Whether the destination has said that it does not and will not run the service. */
  boolean gaveBack() {
    return control.peerAborted();
  }

  /**
   * What the destination itself says about a failure: when it gives up it closes the bulk
   * connections, and a broken pipe is only the consequence.
   */
  MigrationException explain(MigrationException failure) {
    if (failure.code() != PEER_UNREACHABLE || gaveBack()) {
      return failure;
    }
    try {
      Message.Aborted aborted = expect(Message.Aborted.class, EXPLANATION_LIMIT);
      return new MigrationException(aborted.code(), aborted.reason(), failure);
    } catch (MigrationException said) {
      boolean nothing = said.code() == PEER_UNREACHABLE || said.code() == FailureCode.TIMEOUT;
      return nothing ? failure : said;
    }
  }

  void send(Message message) {
    control.send(message);
  }

  /**
   * Waits for this message.
   *
   * @throws MigrationException what the peer refused or why it gave up, or TIMEOUT
   */
  <M extends Message> M expect(Class<M> type, Duration limit) {
    try {
      return switch (heard.poll(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        case Heard.Said(Message message) -> control.require(type, message);
        case Heard.Ended ended -> {
          // It ended for whoever asks next, too.
          heard.add(ended);
          throw new MigrationException(ended.how().code(), ended.how().getMessage(), ended.how());
        }
        case null -> throw silent(type, limit, Optional.empty());
      };
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new MigrationException(PEER_UNREACHABLE, "Interrupted.", e);
    }
  }

  private static MigrationException silent(
      Class<?> type, Duration limit, Optional<MigrationException> cause) {
    return new MigrationException(
        FailureCode.TIMEOUT,
        "The destination did not say %s within %d s."
            .formatted(type.getSimpleName(), limit.toSeconds()),
        cause.orElse(null));
  }

  /** The same on a connection that nobody else listens to; the limit is on each silence. */
  static <M extends Message> M expect(
      SSLSocket socket,
      FrameConnection control,
      Class<M> type,
      Duration limit,
      Predicate<Message> aside) {
    try {
      socket.setSoTimeout((int) limit.toMillis());
      return control.expect(type, aside);
    } catch (SocketException e) {
      throw new MigrationException(PEER_UNREACHABLE, "The destination hung up.", e);
    } catch (MigrationException e) {
      if (e.getCause() instanceof java.net.SocketTimeoutException) {
        throw silent(type, limit, Optional.of(e));
      }
      throw e;
    }
  }

  /** Ends whatever waits for the destination's word; the bulk connections stay. */
  void hangUp() {
    closeQuietly(socket);
  }

  /** Sends one message and waits for its answer. */
  <M extends Message> M ask(Message question, Class<M> answer, Duration limit) {
    send(question);
    return expect(answer, limit);
  }

  /** Bytes on the wire so far, over all connections. */
  long bytesSent() {
    return control.bytesSent() + bulk.stream().mapToLong(ArtifactSender::bytesSent).sum();
  }

  @Override
  public void close() {
    heartbeat.ifPresent(Heartbeat::close);
    bulk.forEach(ArtifactSender::close);
    closeQuietly(socket);
  }

  static void closeQuietly(SSLSocket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot close a connection", e);
    }
  }
}

package io.pagurus.migration;

import static io.pagurus.model.FailureCode.PEER_UNREACHABLE;
import static io.pagurus.model.FailureCode.PROTOCOL;

import io.pagurus.journal.WayBack;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import io.pagurus.protocol.Ear;
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
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.function.Predicate;
import javax.net.ssl.SSLSocket;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The destination as the source sees it: one control connection, and bulk connections on demand.
 */
final class Peer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Peer.class);
  private static final HexFormat HEX = HexFormat.of();
  private static final int BUFFER_BYTES = 1 << 20;
  private static final Duration GREETING_LIMIT = Duration.ofSeconds(30);

  private static final Duration EXPLANATION_LIMIT = Duration.ofSeconds(2);

  private final PeerDialer dialer;
  private final SSLSocket socket;
  private final FrameConnection control;
  private final Target target;
  private final String migration;
  private final Message.Welcome welcome;
  private final AtomicInteger artifacts = new AtomicInteger();
  private final List<ArtifactSender> bulk = new CopyOnWriteArrayList<>();
  private final Reconnecting reconnecting;
  private final AtomicInteger channels = new AtomicInteger();
  private final Ear ear;
  private Optional<Heartbeat> heartbeat = Optional.empty();
  private boolean committed;
  private volatile Consumer<Message.Wanted> wanted =
      page -> {
        throw new MigrationException(PROTOCOL, "The destination wants pages that it has.");
      };

  private Peer(
      PeerDialer dialer,
      SSLSocket socket,
      FrameConnection control,
      Target target,
      String migration,
      Message.Welcome welcome,
      Reconnecting reconnecting) {
    this.dialer = dialer;
    this.socket = socket;
    this.control = control;
    this.target = target;
    this.migration = migration;
    this.welcome = welcome;
    this.reconnecting = reconnecting;
    silenceUnlimited(socket);
    keep(control, welcome, channels.get());
    // Whatever this side does meanwhile: only who listens can notice silence.
    this.ear = Ear.on(control, migration, this::aside);
  }

  private void keep(FrameConnection connection, Message.Welcome answer, int channel) {
    if (answer.keeps()) {
      connection.keep(reconnecting.rescue(dialer, migration, wayBack(), channel));
    }
  }

  /**
   * Connects, proves the ticket's secret if there is one, and learns who answers.
   *
   * @param source name of this outer container
   * @param reconnecting when a link is lost before the commit
   * @throws MigrationException PEER_UNREACHABLE, UNAUTHORIZED or INCOMPATIBLE_PEER
   */
  static Peer connect(
      PeerDialer dialer,
      Target target,
      String migration,
      String source,
      String service,
      Reconnecting reconnecting) {
    SSLSocket socket = dialer.dial(target.addresses(), target.fingerprint());
    try {
      FrameConnection control = open(socket, GREETING_LIMIT);
      byte[] nonce = Proof.nonce();
      String ticketId = target.ticket().map(Ticket::id).orElse("");
      control.send(
          new Hello(
              Version.CURRENT,
              Role.CONTROL,
              migration,
              ticketId,
              HEX.formatHex(nonce),
              0,
              reconnecting.millis()));
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
      return new Peer(dialer, socket, control, target, migration, welcome, reconnecting);
    } catch (RuntimeException e) {
      closeQuietly(socket);
      throw e;
    }
  }

  static void silenceUnlimited(SSLSocket socket) {
    try {
      socket.setSoTimeout(0);
    } catch (SocketException e) {
      throw new MigrationException(PEER_UNREACHABLE, "The destination hung up.", e);
    }
  }

  private boolean aside(Message message) {
    if (message instanceof Message.Wanted page) {
      wanted.accept(page);
      return true;
    }
    return false;
  }

  /**
   * From here on both sides tell each other that they live.
   *
   * @param silent told why when the destination has said nothing for too long; whatever waits for
   *     its word ends then
   */
  void watch(Consumer<MigrationException> silent) {
    heartbeat =
        Optional.of(
            Heartbeat.start(
                migration,
                () -> control,
                reconnecting::patience,
                this::drop,
                (connection, limit) -> {
                  var why =
                      new MigrationException(
                          PEER_UNREACHABLE,
                          "The destination has said nothing for %d s."
                              .formatted(limit.toSeconds()));
                  silent.accept(why);
                  ear.end(why);
                }));
  }

  /** A dead link is seldom alone. */
  private void drop() {
    control.drop();
    bulk.forEach(ArtifactSender::drop);
  }

  /**
   * Returns when no link is lost, for all that is known: a service is not frozen before a broken
   * one.
   *
   * @throws MigrationException PEER_UNREACHABLE when one could not be replaced
   */
  void requireLinks() {
    control.requireLink(reconnecting.patience());
    bulk.forEach(sender -> sender.requireLink(reconnecting.patience()));
  }

  /**
   * From here on a lost link is not replaced: before the commit, after which only the destination's
   * journal tells how it stands.
   */
  void release() {
    committed = true;
    control.release();
    bulk.forEach(ArtifactSender::release);
  }

  static FrameConnection open(SSLSocket socket, Duration silence) {
    try {
      socket.setTcpNoDelay(true);
      socket.setSoTimeout((int) silence.toMillis());
      return FrameConnection.dialled(
          new java.io.BufferedInputStream(socket.getInputStream(), BUFFER_BYTES >> 4),
          socket.getOutputStream(),
          () -> cut(socket));
    } catch (IOException e) {
      throw new MigrationException(
          PEER_UNREACHABLE, "The destination hung up: " + e.getMessage() + ".", e);
    }
  }

  /** Without waiting for whoever is stuck in it. */
  private static void cut(SSLSocket socket) throws IOException {
    socket.setSoLinger(true, 0);
    socket.close();
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
    SSLSocket connection =
        dialer.dial((InetSocketAddress) socket.getRemoteSocketAddress(), target.fingerprint());
    int channel = channels.incrementAndGet();
    Hello hello =
        new Hello(
            Version.CURRENT,
            Role.BULK,
            migration,
            welcome.token(),
            "",
            channel,
            welcome.keeps() ? reconnecting.millis() : 0);
    ArtifactSender sender =
        openBulk(
            connection,
            hello,
            (frames, answer) -> keep(frames, answer, channel),
            bandwidth,
            artifacts,
            progress);
    bulk.add(sender);
    return sender;
  }

  /**
   * Opens a connection for artifacts.
   *
   * @param welcomed told of the answer before anything else is said
   */
  static ArtifactSender openBulk(
      SSLSocket connection,
      Hello hello,
      BiConsumer<FrameConnection, Message.Welcome> welcomed,
      Bandwidth bandwidth,
      AtomicInteger artifacts,
      LongConsumer progress) {
    try {
      FrameConnection frames = open(connection, GREETING_LIMIT);
      frames.send(hello);
      welcomed.accept(frames, frames.expect(Message.Welcome.class));
      silenceUnlimited(connection);
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
      Message.Aborted aborted = ear.expectTheEnd(EXPLANATION_LIMIT);
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
    return ear.expect(type, limit);
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
        throw new MigrationException(
            FailureCode.TIMEOUT,
            "The destination did not say %s within %d s."
                .formatted(type.getSimpleName(), limit.toSeconds()),
            e);
      }
      throw e;
    }
  }

  /** Ends whatever waits for the destination's word; the bulk connections stay. */
  void hangUp() {
    control.close();
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

  /** How much of that had been sent before, over links that were lost. */
  long bytesSentAgain() {
    return control.bytesSentAgain() + bulk.stream().mapToLong(ArtifactSender::bytesSentAgain).sum();
  }

  @Override
  public void close() {
    heartbeat.ifPresent(Heartbeat::close);
    if (welcome.keeps() && !committed) {
      giveUp();
    }
    ear.close();
    bulk.forEach(ArtifactSender::close);
    control.close();
    closeQuietly(socket);
  }

  /** A destination that keeps its connections would wait for this side to return. */
  private void giveUp() {
    try {
      control.release();
      control.send(new Message.Abort("The source gave up before the commit."));
    } catch (MigrationException e) {
      log.debug("Migration {}: the destination did not hear that it was given up", migration, e);
    }
    if (!control.open()) {
      Thread.ofVirtual().name("give-up-" + migration).start(this::giveUpLater);
    }
  }

  /** Whoever asks about what was not committed makes the destination give it up. */
  private void giveUpLater() {
    try {
      var inquiry = new Inquiry(dialer, migration, wayBack());
      Optional<Message.Standing> there = inquiry.ask(Duration.ofMillis(reconnecting.millis()));
      log.info("Migration {} at the destination: {}", migration, there);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  static void closeQuietly(SSLSocket socket) {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot close a connection", e);
    }
  }
}

package io.pagurus.e2e;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.testcontainers.images.builder.Transferable;

/**
 * Plants secrets in two outer containers, moves a service by ticket and by certificate, fails in
 * every way that has to do with credentials, and then looks for the secrets wherever they must not
 * be.
 */
class SecretsTest {
  private static final String ADMIN = "planted-admin-token-5f0c2d7e91";
  private static final String READER = "planted-reader-token-a41b83c6d2";
  private static final String EXPIRED = "planted-expired-token-77e0f4b19a";
  private static final String CHECKPOINT_KEY = "5eed".repeat(16);
  private static final String PASSPHRASE = "planted passphrase of checkpoints";
  private static final String TLS = "/etc/pagurus/tls/";
  private static final String SEEN = "/run/pagurus-argv";
  private static final String JOURNAL = "/var/lib/pagurus/journal/";
  private static final Pattern TOKEN = Pattern.compile("\"token\":\"([^\"]{16,})\"");

  /** Of the own key, of migrations, of tickets; where secrets lie by purpose. */
  private static final List<String> STATE_SECRETS =
      List.of("/var/lib/pagurus/identity.pem", "/var/lib/pagurus/migration.key");

  @TempDir private Path directory;
  private OuterContainer a;
  private OuterContainer b;
  private final Map<String, String> secrets = new LinkedHashMap<>();

  /** Ids of migrations, by the place of a journal and the token that stands in it. */
  private final Map<String, String> tokens = new LinkedHashMap<>();

  @BeforeEach
  void start() throws Exception {
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ours -days 2");
    a = outer("a");
    b = outer("b");
    var starting = CompletableFuture.runAsync(b::ready);
    a.ready();
    starting.join();
    for (OuterContainer outer : List.of(a, b)) {
      name(outer, "a.example", a);
      name(outer, "b.example", b);
      watchArguments(outer);
      STATE_SECRETS.forEach(file -> plantLines(file, outer.exec("cat", file).ok()));
    }
    plant("admin token", ADMIN);
    plant("reader token", READER);
    plant("expired token", EXPIRED);
    plant("checkpoint key", CHECKPOINT_KEY);
    plant("passphrase", PASSPHRASE);
    run("counter");
  }

  @AfterEach
  void stop() {
    a.stop();
    b.stop();
  }

  private OuterContainer outer(String name) throws Exception {
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout %s.key -out %s.csr -subj /CN=%s"
            .formatted(name, name, name));
    Files.writeString(directory.resolve(name + ".ext"), "subjectAltName=DNS:" + name + ".example");
    openssl(
        "x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -out %s.pem -days 2 -extfile %s.ext"
            .formatted(name, name, name));
    plantLines("TLS key of " + name, Files.readString(directory.resolve(name + ".key")));
    String tokens = "read %s%nmigrate,receive %s 2020-01-01T00:00:00Z%n".formatted(READER, EXPIRED);
    OuterContainer outer = new OuterContainer().withServices();
    outer
        .withEnv("PAGURUS_NAME", name)
        .withEnv("PAGURUS_LOG_LEVEL", "DEBUG")
        .withEnv("PAGURUS_API_TOKEN_FILE", "/etc/pagurus/token")
        .withEnv("PAGURUS_API_TOKENS_FILE", "/etc/pagurus/tokens")
        .withCopyToContainer(Transferable.of(ADMIN, 0600), "/etc/pagurus/token")
        .withCopyToContainer(Transferable.of(tokens, 0600), "/etc/pagurus/tokens")
        .withEnv("PAGURUS_CHECKPOINT_KEY_FILE", "/etc/pagurus/checkpoint.key")
        .withCopyToContainer(Transferable.of(CHECKPOINT_KEY, 0600), "/etc/pagurus/checkpoint.key")
        .withCopyToContainer(file("ca.pem"), TLS + "ca.pem")
        .withCopyToContainer(file(name + ".pem"), TLS + "cert.pem")
        .withCopyToContainer(file(name + ".key"), TLS + "key.pem");
    return outer;
  }

  private Transferable file(String name) throws IOException {
    return Transferable.of(Files.readAllBytes(directory.resolve(name)), 0600);
  }

  private void openssl(String words) {
    List<String> command = new ArrayList<>(List.of("sh", "-c"));
    command.add("cd %s && openssl %s".formatted(directory, words));
    Command.run(command).ok();
  }

  private static void name(OuterContainer outer, String name, OuterContainer meant) {
    outer.exec("sh", "-c", "echo %s %s >> /etc/hosts".formatted(address(meant), name)).ok();
  }

  private static String address(OuterContainer outer) {
    String format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    return Command.run("docker", "inspect", "--format", format, outer.getContainerId()).ok();
  }

  /** Collects the arguments of every process there is, again and again. */
  private static void watchArguments(OuterContainer outer) {
    String watch =
        "while sleep 0.02; do for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done; done"
            + " 2> /dev/null >> "
            + SEEN;
    Command.run("docker", "exec", "-d", outer.getContainerId(), "sh", "-c", watch).ok();
  }

  private void run(String service) {
    a.docker(
            "run",
            "-d",
            "--name",
            service,
            BetweenTwo.SERVICES,
            "sh",
            "-c",
            "while sleep 0.1; do echo step; done")
        .ok();
  }

  private void plant(String what, String secret) {
    assertTrue(secret.length() >= 16, what);
    secrets.put(what, secret);
  }

  /** The lines of a key: each alone would be a find. */
  private void plantLines(String what, String text) {
    for (String line : text.lines().filter(line -> !line.startsWith("-----")).toList()) {
      if (!text.contains("CERTIFICATE") || text.indexOf(line) < text.indexOf("CERTIFICATE")) {
        secrets.put(what + " line " + secrets.size(), line);
      }
    }
  }

  private static List<String> journals(OuterContainer outer) {
    return outer.exec("sh", "-c", "ls " + JOURNAL + "*").lines();
  }

  /** The tokens of the migrations that began here: in the journal of each, and nowhere else. */
  private void plantTokens(OuterContainer outer) {
    for (String journal : journals(outer)) {
      Matcher token = TOKEN.matcher(outer.exec("cat", journal).ok());
      while (token.find()) {
        tokens.put(place(outer, journal) + " " + token.group(1), id(journal));
        secrets.put("token of " + id(journal), token.group(1));
      }
    }
  }

  private static String id(String journal) {
    return journal.replace(JOURNAL, "").replace(".journal", "");
  }

  private static String place(OuterContainer outer, String journal) {
    return outer.getContainerId() + journal;
  }

  /** The token may stand in the file that {@link #plantTokens} has it from, and in no other. */
  private String withoutItsToken(OuterContainer outer, String journal) {
    String text = outer.exec("cat", journal).ok();
    for (String found : tokens.keySet()) {
      String place = place(outer, journal) + " ";
      if (found.startsWith(place)) {
        text = text.replace(found.substring(place.length()), "");
      }
    }
    return text;
  }

  /** A ticket, its text and its secret in the forms in which it could show. */
  private String plantTicket(OuterContainer destination, String... options) {
    String ticket = destination.ticket(options);
    plant("ticket " + secrets.size(), ticket);
    byte[] bytes = Base64.getUrlDecoder().decode(ticket.substring("pagurus1.".length()));
    // Before it lie addresses, fingerprint and id; after it expiry, the service's name, checksum.
    int service = options.length == 0 ? 0 : options[options.length - 1].length();
    int end = bytes.length - Long.BYTES - Short.BYTES - service - Integer.BYTES;
    byte[] secret = Arrays.copyOfRange(bytes, end - 32, end);
    plant("ticket's secret in hex " + secrets.size(), HexFormat.of().formatHex(secret));
    plant("ticket's secret " + secrets.size(), Base64.getEncoder().encodeToString(secret));
    return ticket;
  }

  /** Not as an argument: whoever may look at processes would read it. */
  private static Command migrate(
      OuterContainer source, String service, String ticket, String... options) {
    source.copyFileToContainer(
        Transferable.of(ticket.getBytes(StandardCharsets.UTF_8), 0600), "/root/ticket");
    List<String> words =
        new ArrayList<>(List.of("migrate", service, "--to", "@/root/ticket", "--output", "json"));
    words.addAll(List.of(options));
    Command done = source.pagurus(words.toArray(String[]::new));
    source.exec("rm", "/root/ticket").ok();
    return done;
  }

  private record Answer(int status, String body) {}

  private static SSLSocket connect(OuterContainer outer)
      throws IOException, GeneralSecurityException {
    var context = SSLContext.getInstance("TLSv1.3");
    context.init(null, new TrustManager[] {new Anybody()}, null);
    var plain = new Socket(address(outer), 7070);
    return (SSLSocket) context.getSocketFactory().createSocket(plain, "outer", 7070, true);
  }

  /** What {@code /v1/events} says, which never ends by itself. */
  private record Listening(SSLSocket socket, CompletableFuture<String> heard) {
    static Listening to(OuterContainer outer) throws IOException, GeneralSecurityException {
      SSLSocket socket = connect(outer);
      String request =
          "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n"
              .formatted(READER);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
      return new Listening(socket, CompletableFuture.supplyAsync(() -> hear(socket)));
    }

    private static String hear(SSLSocket socket) {
      var heard = new ByteArrayOutputStream();
      try {
        socket.getInputStream().transferTo(heard);
      } catch (IOException e) {
        // Hung up on.
      }
      return heard.toString(StandardCharsets.UTF_8);
    }

    String hangUp() throws IOException {
      socket.close();
      return heard.join();
    }
  }

  /** Over the network. */
  private static Answer https(
      OuterContainer outer, String method, String path, String token, String body)
      throws IOException, GeneralSecurityException {
    try (SSLSocket socket = connect(outer)) {
      String request =
          "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s"
              .formatted(method, path, token, body.length(), body);
      socket.getOutputStream().write(request.getBytes(StandardCharsets.UTF_8));
      String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Answer(
          Integer.parseInt(answer.split(" ", 3)[1]), answer.replaceFirst("(?s).*?\r\n\r\n", ""));
    }
  }

  private static final class Anybody implements X509TrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }

  @Test
  void secretsShowNowhere() throws Exception {
    final List<String> answers = new ArrayList<>();
    final List<Listening> events = List.of(Listening.to(a), Listening.to(b));
    // What goes well: by ticket there, by certificate back.
    String good = plantTicket(b);
    Command there = migrate(a, "counter", good);
    answers.add(there.ok());
    Command back = b.pagurus("migrate", "counter", "--to", "a.example:7070", "--output", "json");
    answers.add(back.ok());
    JsonNode report = OuterContainer.json(back.out());
    assertEquals("completed", report.path("outcome").asText(), back.out());
    assertEquals("a", report.path("destination").asText(), back.out());
    List<String> moves =
        List.of(OuterContainer.json(there.out()).path("id").asText(), report.path("id").asText());

    // What is refused: used, for another service, altered, by policy, without a name.
    answers.add(refused(6, migrate(a, "counter", good)));
    String other = plantTicket(b, "--service", "somebody-else");
    answers.add(refused(6, migrate(a, "counter", other)));
    String cut = plantTicket(b);
    answers.add(refused(2, migrate(a, "counter", cut.substring(0, cut.length() - 3))));
    a.docker(
            "run",
            "-d",
            "--name",
            "greedy",
            "--cap-add",
            "NET_ADMIN",
            BetweenTwo.SERVICES,
            "sh",
            "-c",
            "while sleep 1; do :; done")
        .ok();
    answers.add(refused(18, migrate(a, "greedy", plantTicket(b))));
    answers.add(refused(18, a.pagurus("migrate", "greedy", "--to", "b.example:7070")));
    answers.add(refused(6, a.pagurus("migrate", "counter", "--to", address(b) + ":7070")));

    answers.addAll(keep("counter"));

    // The API: what is let in, what is refused.
    for (OuterContainer outer : List.of(a, b)) {
      for (String path :
          List.of(
              "/metrics",
              "/readyz",
              "/v1/services",
              "/v1/migrations",
              "/v1/capabilities",
              "/v1/version",
              "/v1/openapi.json",
              "/v1/start-options",
              "/v1/services/counter/start-options",
              "/v1/services/counter/logs")) {
        answers.add(https(outer, "GET", path, ADMIN, "").body());
        answers.add(https(outer, "GET", path, READER, "").body());
        answers.add(outer.ask("GET", path));
      }
      for (String id : moves) {
        String path = "/v1/migrations/" + id;
        Answer told = https(outer, "GET", path + "/events", READER, "");
        assertTrue(told.body().contains("completed"), told.body());
        answers.addAll(List.of(told.body(), https(outer, "GET", path, READER, "").body()));
      }
      Answer expired = https(outer, "POST", "/v1/tickets", EXPIRED, "{}");
      assertEquals(401, expired.status(), expired.body());
      Answer forbidden = https(outer, "POST", "/v1/tickets", READER, "{}");
      assertEquals(403, forbidden.status(), forbidden.body());
      Answer wrong = https(outer, "GET", "/v1/services", ADMIN + "x", "");
      assertEquals(401, wrong.status(), wrong.body());
      Answer body = https(outer, "POST", "/v1/migrations", ADMIN, "{\"to\": \"" + cut + "\"}");
      assertEquals(400, body.status(), body.body());
      Answer malformed = https(outer, "POST", "/v1/migrations", ADMIN, "{\"to\": " + cut + "}");
      assertEquals(400, malformed.status(), malformed.body());
      answers.addAll(
          List.of(expired.body(), forbidden.body(), wrong.body(), body.body(), malformed.body()));
      answers.add(outer.pagurus("history", "--output", "json").ok());
      answers.add(outer.pagurus("check").out());
      answers.add(outer.pagurus("version").ok());
    }

    for (Listening listening : events) {
      String heard = listening.hangUp();
      assertTrue(moves.stream().allMatch(heard::contains), heard);
      answers.add(heard);
    }
    for (OuterContainer outer : List.of(a, b)) {
      plantTokens(outer);
    }
    assertEquals(Set.copyOf(moves), Set.copyOf(tokens.values()), "each at its source only");

    assertNoSecretIn("what was answered", String.join("\n", answers));
    for (OuterContainer outer : List.of(a, b)) {
      Command logs = Command.run("docker", "logs", outer.getContainerId());
      assertTrue(logs.err().contains("Ready") || logs.out().contains("Ready"), "a log");
      assertNoSecretIn("log", logs.out() + logs.err());
      String seen = outer.exec("cat", SEEN).ok();
      assertTrue(seen.contains("dockerd"), "arguments were seen");
      assertNoSecretIn("arguments of processes", seen);
      assertNoSecretIn("environment", outer.exec("sh", "-c", "cat /proc/[0-9]*/environ").out());
      for (String journal : journals(outer)) {
        assertNoSecretIn("journal " + journal, withoutItsToken(outer, journal));
      }
      assertNoSecretIn(
          "kept tickets", outer.exec("sh", "-c", "cat /var/lib/pagurus/tickets/*").out());
      assertNoSecretIn("container", Command.run("docker", "inspect", outer.getContainerId()).ok());
      assertOnlyTheOwnerReads(outer);
    }
    assertNothingIsInTheImage();
  }

  /** Takes checkpoints, sealed by the key file and by a passphrase. */
  private List<String> keep(String service) {
    a.copyFileToContainer(
        Transferable.of(PASSPHRASE.getBytes(StandardCharsets.UTF_8), 0600), "/root/passphrase");
    List<String> answers = new ArrayList<>();
    answers.add(a.pagurus("start-options", service, "--checkpoint-interval", "1h").ok());
    answers.add(a.pagurus("checkpoint", service, "--output", "json").ok());
    answers.add(
        a.exec(
                "sh",
                "-c",
                "pagurus start-options %s --passphrase-fd 3 3< /root/passphrase".formatted(service))
            .ok());
    answers.add(a.pagurus("checkpoint", service, "--output", "json").ok());
    a.exec("rm", "/root/passphrase").ok();
    answers.add(a.exec("sh", "-c", "cat /var/lib/pagurus/checkpoints/*/*.json; true").ok());
    return answers;
  }

  private static String refused(int exitCode, Command command) {
    assertEquals(exitCode, command.exitCode(), command.out() + command.err());
    return command.out() + command.err();
  }

  private void assertNoSecretIn(String place, String text) {
    secrets.forEach(
        (what, secret) ->
            assertFalse(text.contains(secret), () -> what + " shows in the " + place));
  }

  private static void assertOnlyTheOwnerReads(OuterContainer outer) {
    String find =
        "find /var/lib/pagurus -maxdepth 2 -type f"
            + " \\( -name '*.pem' -o -name '*.key' -o -path '*/tickets/*' -o -path '*/journal/*' \\)";
    assertFalse(outer.exec("sh", "-c", find).ok().isEmpty());
    assertEquals("", outer.exec("sh", "-c", find + " ! -perm 600").ok());
    assertEquals("700", outer.exec("stat", "-c", "%a", "/var/lib/pagurus/tickets").ok());
    assertEquals("700", outer.exec("stat", "-c", "%a", "/run/pagurus").ok());
    assertEquals("600", outer.exec("stat", "-c", "%a", "/run/pagurus/api.sock").ok());
  }

  private void assertNothingIsInTheImage() {
    String image =
        Command.run("docker", "inspect", "--format", "{{.Image}}", a.getContainerId()).ok();
    assertNoSecretIn("image", Command.run("docker", "image", "inspect", image).ok());
    assertNoSecretIn("image's history", Command.run("docker", "history", "--no-trunc", image).ok());
    String find =
        "find / -xdev \\( -name 'identity*.pem' -o -name migration.key -o -path '*/tickets/*'"
            + " -o -path '/etc/pagurus/*' \\) -type f 2> /dev/null; true";
    assertEquals(
        "",
        Command.run("docker", "run", "--rm", "--entrypoint", "sh", image, "-c", find).ok(),
        "keys in the image");
  }
}

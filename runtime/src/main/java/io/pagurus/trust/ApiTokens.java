package io.pagurus.trust;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tokens that open the HTTP API on the network, and their roles.
 *
 * <p>They stand in up to two files, which are read anew for every question, so that a token is
 * added, changed or withdrawn by replacing a file. One file holds a single token of role ADMIN. The
 * other has one token per line:
 *
 * <pre>
 * # ROLE[,ROLE...]  TOKEN | sha256:HEX  [EXPIRY, ISO 8601 in UTC]
 * read              sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
 * read,migrate      q5mW9YcUkT2bVtXeZr8J   2031-01-01T00:00:00Z
 * </pre>
 *
 * A token has 16 characters or more, without blanks. Messages about a file name its lines, never
 * what stands there.
 */
public final class ApiTokens {
  private static final Logger log = LoggerFactory.getLogger(ApiTokens.class);

  /** Random letters and digits: 95 bits. */
  private static final int LEAST_LENGTH = 16;

  /** Read at every request. */
  private static final long MOST_BYTES = 256 << 10;

  private static final String HASHED = "sha256:";

  private final Optional<Path> single;
  private final Optional<Path> file;
  private final InstantSource clock;

  /** A token by its SHA-256. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Entry(byte[] digest, Set<Role> roles, Instant expiresAt) {}

  private ApiTokens(Optional<Path> single, Optional<Path> file, InstantSource clock) {
    this.single = single;
    this.file = file;
    this.clock = requireNonNull(clock, "clock is null");
  }

  /** No token opens anything. */
  public static ApiTokens none() {
    return new ApiTokens(Optional.empty(), Optional.empty(), InstantSource.system());
  }

  /** The same with the file of the one token of role ADMIN. */
  public ApiTokens withAdmin(Path path) {
    ApiTokens tokens = checked(new ApiTokens(Optional.of(path), file, clock));
    PrivateFiles.warnUnlessPrivate(path);
    return tokens;
  }

  /** The same with the file of tokens and roles; only its owner may read it. */
  public ApiTokens withFile(Path path) {
    return checked(new ApiTokens(single, Optional.of(path), clock));
  }

  /** The same by another clock. */
  ApiTokens at(InstantSource otherClock) {
    return new ApiTokens(single, file, otherClock);
  }

  private static ApiTokens checked(ApiTokens tokens) {
    List<Entry> _ = tokens.read();
    return tokens;
  }

  /**
   * What a token is good for.
   *
   * @return at least one role
   * @throws MigrationException UNAUTHORIZED when it is unknown or has expired, or when the files
   *     cannot be read any more: then nobody is let in
   */
  public Set<Role> roles(String token) {
    Optional<Entry> found = Optional.empty();
    byte[] digest = sha256(token);
    // All of them, in the same time whichever it is.
    for (Entry entry : legible()) {
      if (MessageDigest.isEqual(entry.digest(), digest)) {
        found = Optional.of(entry);
      }
    }
    Entry entry = found.orElseThrow(() -> refused("It is unknown."));
    if (!clock.instant().isBefore(entry.expiresAt())) {
      throw refused("It expired at %s.".formatted(entry.expiresAt()));
    }
    return entry.roles();
  }

  private static MigrationException refused(String why) {
    return new MigrationException(FailureCode.UNAUTHORIZED, "The API token is refused. " + why);
  }

  private List<Entry> legible() {
    try {
      return read();
    } catch (MigrationException e) {
      log.error("Nobody is let in to the API on the network: {}", e.getMessage());
      throw refused("The files of tokens cannot be read; the runtime's log says why.");
    }
  }

  private List<Entry> read() {
    List<Entry> entries = new ArrayList<>();
    single.ifPresent(path -> entries.add(admin(path)));
    file.ifPresent(path -> entries.addAll(parse(path)));
    return entries;
  }

  private static Entry admin(Path path) {
    String token = text(path, "PAGURUS_API_TOKEN_FILE").strip();
    if (token.length() < LEAST_LENGTH) {
      throw usage(path, "PAGURUS_API_TOKEN_FILE", "The token has fewer than 16 characters.");
    }
    return new Entry(sha256(token), EnumSet.of(Role.ADMIN), Instant.MAX);
  }

  private static List<Entry> parse(Path path) {
    List<String> lines = text(path, "PAGURUS_API_TOKENS_FILE").lines().toList();
    PrivateFiles.requirePrivate(path);
    List<Entry> entries = new ArrayList<>();
    for (int line = 0; line < lines.size(); line++) {
      String text = lines.get(line).strip();
      if (!text.isEmpty() && !text.startsWith("#")) {
        try {
          add(entries, entry(text.split("\\s+", -1)));
        } catch (IllegalArgumentException | DateTimeException e) {
          throw usage(
              path,
              "PAGURUS_API_TOKENS_FILE",
              "Line %d is not ROLE[,ROLE] TOKEN [EXPIRY]: %s.".formatted(line + 1, reason(e)));
        }
      }
    }
    return entries;
  }

  /** A parser's own words repeat what they could not read. */
  private static String reason(RuntimeException e) {
    return e instanceof DateTimeException
        ? "an expiry is written as 2031-01-01T00:00:00Z"
        : e.getMessage();
  }

  private static Entry entry(String[] words) {
    if (words.length < 2 || words.length > 3) {
      throw new IllegalArgumentException("it has %d words".formatted(words.length));
    }
    Set<Role> roles = EnumSet.noneOf(Role.class);
    for (String word : words[0].split(",", -1)) {
      roles.add(role(word));
    }
    return new Entry(
        digest(words[1]), roles, words.length == 3 ? Instant.parse(words[2]) : Instant.MAX);
  }

  private static Role role(String word) {
    return Arrays.stream(Role.values())
        .filter(role -> role.text().equals(word.toLowerCase(Locale.ROOT)))
        .findFirst()
        // The word may be a token in the wrong place.
        .orElseThrow(
            () -> new IllegalArgumentException("roles are read, migrate, receive and admin"));
  }

  private static byte[] digest(String token) {
    if (token.startsWith(HASHED)) {
      String hex = token.substring(HASHED.length());
      if (!hex.matches("[0-9a-f]{64}")) {
        throw new IllegalArgumentException("sha256: is followed by 64 hexadecimal digits");
      }
      return HexFormat.of().parseHex(hex);
    }
    if (token.length() < LEAST_LENGTH) {
      throw new IllegalArgumentException("the token has fewer than 16 characters");
    }
    return sha256(token);
  }

  private static void add(List<Entry> entries, Entry entry) {
    if (entries.stream().anyMatch(known -> MessageDigest.isEqual(known.digest(), entry.digest()))) {
      throw new IllegalArgumentException("it repeats a token");
    }
    entries.add(entry);
  }

  private static String text(Path path, String variable) {
    try {
      if (Files.size(path) > MOST_BYTES) {
        throw usage(path, variable, "It has more than 256 KiB.");
      }
      return Files.readString(path);
    } catch (IOException e) {
      throw new MigrationException(
          FailureCode.USAGE, "%s: %s cannot be read.".formatted(variable, path), e);
    }
  }

  private static MigrationException usage(Path path, String variable, String why) {
    return new MigrationException(
        FailureCode.USAGE, "%s, from %s: %s".formatted(path, variable, why));
  }

  private static byte[] sha256(String token) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(token.getBytes(UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("Every Java has SHA-256", e);
    }
  }

  /** Without the tokens. */
  @Override
  public String toString() {
    return "ApiTokens[admin=%s, file=%s]".formatted(single, file);
  }
}

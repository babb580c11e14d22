package io.pagurus.app;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.encoder.PatternLayoutEncoder;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.spi.ContextAwareBase;
import java.util.Optional;

/**
 * Logs one line per event to stderr, tickets masked. Found by logback as a service; in code,
 * because reading an XML file doubles logback's start. {@code PAGURUS_LOG_LEVEL} sets the level;
 * libraries never say more than INFO.
 */
public final class Logging extends ContextAwareBase implements Configurator {
  private static final String PATTERN =
      "%d{yyyy-MM-dd'T'HH:mm:ss.SSSXXX,UTC} %-5level %logger{0}: %replace(%msg%n%ex){'pagurus1\\.[\\w-]+','pagurus1.***'}%nopex";

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    var encoder = new PatternLayoutEncoder();
    encoder.setContext(context);
    encoder.setPattern(PATTERN);
    encoder.start();
    var appender = new ConsoleAppender<ILoggingEvent>();
    appender.setContext(context);
    appender.setTarget("System.err");
    appender.setEncoder(encoder);
    appender.start();
    var root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    Level wanted =
        Level.toLevel(
            Optional.ofNullable(System.getenv("PAGURUS_LOG_LEVEL")).orElse("INFO"), Level.INFO);
    // Libraries debug with every byte that they carry, to the engine and from it: services'
    // secrets.
    root.setLevel(wanted.isGreaterOrEqual(Level.INFO) ? wanted : Level.INFO);
    context.getLogger("io.pagurus").setLevel(wanted);
    root.addAppender(appender);
    context.getLogger("io.helidon").setLevel(Level.WARN);
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }
}

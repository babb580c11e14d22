package io.pagurus.trust;

import static java.util.Objects.requireNonNull;

import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Where an operator puts what connects runtimes by certificates: PEM files. All of them are there,
 * or none.
 *
 * @param authorities certificates of those who vouch for peers
 * @param certificate of this runtime, followed by what leads to an authority
 * @param key of the certificate: PKCS #8, not encrypted, EC or RSA, mode 0600
 */
public record TlsFiles(Path authorities, Path certificate, Path key) {
  public TlsFiles {
    requireNonNull(authorities, "authorities is null");
    requireNonNull(certificate, "certificate is null");
    requireNonNull(key, "key is null");
  }

  /**
   * Whether the operator wants them.
   *
   * @throws MigrationException USAGE when some are missing
   */
  public boolean exist() {
    boolean any = Files.exists(authorities) || Files.exists(certificate) || Files.exists(key);
    for (Path file : new Path[] {authorities, certificate, key}) {
      if (any && !Files.exists(file)) {
        throw new MigrationException(
            FailureCode.USAGE,
            "%s is missing. Connections by certificates need PAGURUS_TLS_CA, PAGURUS_TLS_CERT and PAGURUS_TLS_KEY."
                .formatted(file));
      }
    }
    return any;
  }
}

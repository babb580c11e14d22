package io.pagurus.protocol;

import static java.util.Objects.requireNonNull;

import java.util.Optional;
import java.util.Set;

/**
 * Who is at the other end of an accepted connection, as far as TLS has shown.
 *
 * @param address and port
 * @param certificate whose key it holds; empty when it showed none
 */
public record Caller(String address, Optional<Certificate> certificate) {

  /**
   * A certificate whose key the caller has proved to hold.
   *
   * @param fingerprint its SHA-256, 64 lowercase hexadecimal digits
   * @param names that an authority vouches for, which this runtime trusts; else empty
   * @param doubt why no authority does, in a sentence; else empty
   */
  public record Certificate(String fingerprint, Set<String> names, String doubt) {
    public Certificate {
      requireNonNull(fingerprint, "fingerprint is null");
      names = Set.copyOf(names);
      requireNonNull(doubt, "doubt is null");
    }

    public boolean vouchedFor() {
      return doubt.isEmpty();
    }
  }

  public Caller {
    requireNonNull(address, "address is null");
    requireNonNull(certificate, "certificate is null");
  }

  /** One that has shown no certificate. */
  public static Caller anonymous(String address) {
    return new Caller(address, Optional.empty());
  }

  /** Empty without a certificate. */
  public Optional<String> fingerprint() {
    return certificate.map(Certificate::fingerprint);
  }

  /** Names that an authority vouches for. */
  public Set<String> names() {
    return certificate.map(Certificate::names).orElse(Set.of());
  }

  public boolean vouchedFor() {
    return certificate.filter(Certificate::vouchedFor).isPresent();
  }

  @Override
  public String toString() {
    return address;
  }
}

/**
 * Measures migrations of memhog, a service that is nothing but memory, beside what a user would
 * pick instead, over one shaped link, and writes raw runs, a table and plots. See {@code
 * benchmarks/README.md} for how to read them.
 */
package io.pagurus.benchmarks;

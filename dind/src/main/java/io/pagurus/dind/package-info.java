/**
 * The inner engine: its API, its supervision, and what is needed to recreate one of its containers
 * elsewhere so that {@code docker inspect} tells no difference.
 */
package io.pagurus.dind;

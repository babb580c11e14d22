/** The port to whatever runs the service: what a migration asks of it, at either end. */
package io.pagurus.engine;

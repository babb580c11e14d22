/**
 * What the outside reaches: the TLS listener for peers, the REST API, health, readiness and
 * metrics. The only package that knows the web server.
 */
package io.pagurus.http;

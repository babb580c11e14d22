/** Configuration and wiring: the only package that names adapters. */
package io.pagurus.app;

/** The inner Docker engine behind the port: freeze, dump and warm restore through runc and CRIU. */
package io.pagurus.engine.docker;

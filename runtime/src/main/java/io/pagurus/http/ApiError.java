package io.pagurus.http;

import io.helidon.http.HeaderNames;
import io.helidon.http.Status;
import io.helidon.webserver.http.ServerResponse;
import io.pagurus.model.FailureCode;
import io.pagurus.model.MigrationException;

/** The body of every response that is not a success. */
record ApiError(FailureCode code, String message) {

  static ApiError of(MigrationException failure) {
    return new ApiError(failure.code(), failure.getMessage());
  }

  void send(ServerResponse response) {
    send(response, code.httpStatus());
  }

  void send(ServerResponse response, int status) {
    if (status == 401) {
      response.header(HeaderNames.WWW_AUTHENTICATE, "Bearer");
    }
    response
        .status(Status.create(status))
        .header(HeaderNames.CONTENT_TYPE, "application/json")
        .send(Json.bytes(this));
  }
}

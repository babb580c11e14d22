/** Who a runtime is and whom it lets in: identity, tickets, their proof, and the pinned dial. */
package io.pagurus.trust;

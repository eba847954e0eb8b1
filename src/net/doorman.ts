/**
 * Doorman: refuses connections in the listening socket, by the address that they come from.
 *
 * Node asks the block list of a server before it makes a socket of a connection, and closes it when the answer is yes. That costs a tenth
 * of what libp2p pays until it asks its gater, and strangers can knock as often as they like.
 * Knows: how Node asks. Does not know: who is refused; that is asked each time.
 */
import { BlockList } from "node:net";

export class Doorman extends BlockList {
  readonly #refuses: (ip: string) => boolean;

  /** @param refuses is asked once a connection; an IP address without a zone */
  constructor(refuses: (ip: string) => boolean) {
    super();
    this.#refuses = refuses;
  }

  override check(address: unknown): boolean {
    return typeof address === "string" && this.#refuses(address.replace(/%.*$/, ""));
  }
}

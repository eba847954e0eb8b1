/**
 * Directory: which members are worth asking for results of a request. test/compliance/directory.ts says what every one of them does.
 */
import type { Digest, Key } from "../base/index.ts";

export interface Directory {
  /**
   * Members that are there and may have results of a request, those to ask first in front. This node is not among them. None where nobody has
   * told of such results: then nobody was asked, either.
   *
   * @throws the signal's reason
   */
  find(manifest: Digest, signal: AbortSignal): Promise<readonly Key[]>;
}

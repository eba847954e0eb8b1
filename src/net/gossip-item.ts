/**
 * What nodes say to each other so that messages reach all.
 */
import type { Key } from "../base/index.ts";

/** What travels. Two messages with one id are the same. */
export interface GossipMessage {
  readonly id: string;
  readonly topic: string;
  readonly author: Key;
}

/** What nodes say to each other. */
export type GossipItem<Message> =
  | { readonly kind: "topics"; readonly topics: readonly string[] }
  | {
      readonly kind: "message";
      readonly message: Message;
      /** Of an author's own message, to whom else the author gives it; otherwise nobody. */
      readonly given: readonly Key[];
    }
  | { readonly kind: "graft" | "prune"; readonly topic: string }
  | { readonly kind: "have" | "want"; readonly ids: readonly string[] };

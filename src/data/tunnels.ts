/**
 * What tunnels are made of: what a member lets others reach, and what a node listens on for its own programs.
 */
import type { Key } from "../base/index.ts";

/** Who may use what is exposed. */
export type Permission =
  | { readonly kind: "all" }
  | { readonly kind: "domain"; readonly domain: string }
  | { readonly kind: "member"; readonly key: Key };

/** Something that members may connect to. */
export interface Exposure {
  /** By which members ask for it; its port where nothing else was said. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly to: readonly Permission[];
}

/** A local address whose connections end at a member. */
export interface Forward {
  readonly host: string;
  readonly port: number;
  readonly member: Key;
  /** What the member exposes: its name, or its port. */
  readonly service: string;
}

/** Connections through one exposure or forward: those that are open, all there were, and their bytes as the local side sees them. */
export interface TunnelCounts {
  readonly open: number;
  readonly total: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface ForwardState {
  readonly forward: Forward;
  readonly listening: boolean;
  readonly counts: TunnelCounts;
  /** Why the last connection, or listening, failed; "" when it did not. */
  readonly trouble: string;
}

/** The services that tunnels ask a member's plane for; the argument is what the member exposes. */
export const TUNNEL = "tunnel";
/** Answers whether {@link TUNNEL} would be allowed, and connects nothing. */
export const TUNNEL_CHECK = "tunnel-check";

/**
 * Whether this node speaks QUIC: when one of its addresses is for it, and what speaks it can be loaded.
 *
 * Knows: that nothing of it is loaded otherwise. Does not know: how it is spoken.
 */
import { speaksQuic } from "./ports.ts";
import type { QuicParts, QuicTransport } from "./quic.ts";

export type MakeQuic = (parts: Omit<QuicParts, "native">) => QuicTransport;

export interface QuicChoice {
  /** Undefined when it is not spoken here. */
  readonly make: MakeQuic | undefined;
  /** Why not, when it was asked for. */
  readonly trouble: string | undefined;
}

/** @param listen multiaddrs, as many lists as are tried */
export async function chooseQuic(listen: readonly (readonly string[])[]): Promise<QuicChoice> {
  if (!listen.flat().some(speaksQuic)) return { make: undefined, trouble: undefined };
  const [{ quicTransport }, { loadQuic }] = await Promise.all([import("./quic.ts"), import("./quic-native.ts")]);
  const loaded = loadQuic();
  if (loaded.kind === "absent") return { make: undefined, trouble: loaded.why };
  return { make: (parts) => quicTransport({ ...parts, native: loaded.native }), trouble: undefined };
}

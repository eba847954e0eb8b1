/**
 * The overlay of a network that runs, built from its parts, and told what this node can serve.
 */
import type { DirectoryKind } from "../base/index.ts";
import { type Network, Overlay, type OverlayParts } from "../net/index.ts";
import { isSigned, type KeyPair, type Members } from "../trust/index.ts";
import type { KeptShelf } from "./network-sharing.ts";

const PURPOSE = "cairn overlay addresses 1";

export interface NetworkOverlayParts extends Pick<OverlayParts, "codec" | "discovery" | "domainOf" | "log"> {
  readonly network: Network;
  readonly members: Members;
  readonly keys: KeyPair;
  readonly shelf: Pick<KeptShelf, "offered" | "onOffered">;
}

/** @param options by `auto` the overlay knows who has what where not everybody is linked with everybody */
export async function startOverlay(
  { members, keys, shelf, ...parts }: NetworkOverlayParts,
  { directory }: { readonly directory: DirectoryKind | "auto" },
): Promise<Overlay> {
  const overlay = await Overlay.start({
    ...parts,
    roster: members,
    sign: (body) => keys.sign(PURPOSE, body),
    isSigned: (key, body, signature) => isSigned(key, PURPOSE, body, signature),
    manifests: () => shelf.offered(),
    isDirectory: () => directory === "overlay" || (directory === "auto" && parts.network.choosesLinks),
    now: () => performance.now(),
    wallClock: Date.now,
    random: Math.random,
  });
  shelf.onOffered((added) => overlay.provide(added));
  return overlay;
}

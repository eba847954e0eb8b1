/**
 * The overlay of a network that runs, built from its parts.
 */
import { type Network, Overlay, type OverlayParts } from "../net/index.ts";
import { isSigned, type KeyPair, type Members } from "../trust/index.ts";

const PURPOSE = "cairn overlay addresses 1";

export interface NetworkOverlayParts extends Pick<OverlayParts, "codec" | "discovery" | "domainOf" | "log"> {
  readonly network: Network;
  readonly members: Members;
  readonly keys: KeyPair;
}

export function startOverlay({ members, keys, ...parts }: NetworkOverlayParts): Promise<Overlay> {
  return Overlay.start({
    ...parts,
    roster: members,
    sign: (body) => keys.sign(PURPOSE, body),
    isSigned: (key, body, signature) => isSigned(key, PURPOSE, body, signature),
    now: () => performance.now(),
    wallClock: Date.now,
    random: Math.random,
  });
}

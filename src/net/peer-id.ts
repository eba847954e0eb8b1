/**
 * A member's key and libp2p's name for it are the same 32 bytes.
 */
import { publicKeyFromRaw } from "@libp2p/crypto/keys";
import type { PeerId } from "@libp2p/interface";
import { peerIdFromPublicKey } from "@libp2p/peer-id";
import type { Key } from "../base/index.ts";

/** @throws when the key is not a point of the curve; keys of members are */
export function peerIdOf(key: Key): PeerId {
  return peerIdFromPublicKey(publicKeyFromRaw(Buffer.from(key, "hex")));
}

/** Undefined for identities of other kinds, which no member has. */
export function keyOf(peer: PeerId): Key | undefined {
  return peer.type === "Ed25519" ? Buffer.from(peer.publicKey.raw).toString("hex") : undefined;
}

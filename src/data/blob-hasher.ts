/**
 * Hashes blobs in the thread that receives them, while they come: handing them to another thread for that would copy them.
 *
 * Knows: which pieces make a blob. Does not know: which blob it should be; that is for who has asked to compare.
 */
import { createHash, type Hash } from "node:crypto";
import { CairnError, type Digest, digestOf, limits } from "../base/index.ts";
import type { BlobDigests } from "../contracts/index.ts";
import type { BlobPiece, NetworkCodec } from "../wire/index.ts";

type Bytes = Extract<BlobPiece, { absent: false }>;

export class BlobHasher {
  readonly #codec: Pick<NetworkCodec, "isBlobs" | "decodeShareFrame">;
  /** The large blob whose last piece has yet to come; of one answer there is one at a time. */
  #under: { readonly question: number; readonly index: number; readonly hash: Hash; have: number } | undefined;

  constructor(codec: Pick<NetworkCodec, "isBlobs" | "decodeShareFrame">) {
    this.#codec = codec;
  }

  /** @returns by piece; undefined for what is no frame of blobs, or not understood: who takes it finds out */
  digests(frame: Uint8Array): BlobDigests | undefined {
    if (!this.#codec.isBlobs(frame)) return undefined;
    try {
      const answer = this.#codec.decodeShareFrame(frame);
      if (answer.kind !== "blobs") return undefined;
      return answer.pieces.map((piece) => (piece.absent ? undefined : this.#digest(answer.question, piece)));
    } catch (error) {
      if (error instanceof CairnError) return undefined;
      throw error;
    }
  }

  /** Every piece but a blob's last one is of the same length; where the last one is, too, only who has asked knows that it is. */
  #digest(question: number, { index, offset, bytes }: Bytes): Digest | undefined {
    const isLast = bytes.length < limits.sharePieceBytes;
    if (offset === 0 && isLast) return digestOf(bytes);
    if (offset === 0) this.#under = { question, index, hash: createHash("sha256"), have: 0 };
    const under = this.#under;
    if (under?.question !== question || under.index !== index || under.have !== offset) return undefined;
    under.hash.update(bytes);
    under.have += bytes.length;
    if (!isLast) return undefined;
    this.#under = undefined;
    return under.hash.digest("hex");
  }
}

/**
 * Directories: who has results of a request, by what members tell of themselves (mesh), by where results belong (rendezvous), or by
 * what the overlay finds out afterwards.
 *
 * Knows: docs/protocol/directory.md. Does not know: how summaries, attestations and copies come about.
 */
import type { Digest, Key } from "../base/index.ts";
import type { Directory } from "../contracts/index.ts";
import { type Candidate, nearest } from "./rendezvous-hash.ts";

export interface MeshDirectoryParts {
  /** Linked members whose summaries say that they have it, nearest first. */
  readonly whoHas: (manifest: Digest) => readonly Key[];
}

export class MeshDirectory implements Directory {
  readonly #parts: MeshDirectoryParts;

  constructor(parts: MeshDirectoryParts) {
    this.#parts = parts;
  }

  async find(manifest: Digest, signal: AbortSignal): Promise<readonly Key[]> {
    signal.throwIfAborted();
    return this.#parts.whoHas(manifest);
  }
}

export interface RendezvousDirectoryParts extends MeshDirectoryParts {
  readonly self: Key;
  /** Whether somebody has attested a result of the request. */
  readonly isAttested: (manifest: Digest) => boolean;
  /** Members that are there, linked or not. */
  readonly present: () => readonly Candidate[];
  /** Has this node linked with a member, beside the request. Returns at once: whether it is linked already. */
  readonly call: (key: Key) => boolean;
}

export class RendezvousDirectory implements Directory {
  readonly #parts: RendezvousDirectoryParts;
  readonly #copies: number;

  /** @param options `copies`: members to which a result belongs */
  constructor(parts: RendezvousDirectoryParts, options: { readonly copies: number }) {
    this.#parts = parts;
    this.#copies = options.copies;
  }

  async find(manifest: Digest, signal: AbortSignal): Promise<readonly Key[]> {
    signal.throwIfAborted();
    const { self, whoHas, isAttested, present, call } = this.#parts;
    const told = whoHas(manifest);
    if (told.length > 0 || !isAttested(manifest)) return told;
    return nearest(manifest, present(), this.#copies).flatMap(({ key }) => (key !== self && call(key) ? [key] : []));
  }
}

export interface AskingDirectoryParts {
  readonly inner: Directory;
  /** Returns at once; whatever comes of it is known the next time. */
  readonly missed: (manifest: Digest) => void;
}

/** Has the overlay ask, beside the request and not before it, for what another directory knows nothing of. */
export class AskingDirectory implements Directory {
  readonly #parts: AskingDirectoryParts;

  constructor(parts: AskingDirectoryParts) {
    this.#parts = parts;
  }

  async find(manifest: Digest, signal: AbortSignal): Promise<readonly Key[]> {
    const found = await this.#parts.inner.find(manifest, signal);
    if (found.length === 0) this.#parts.missed(manifest);
    return found;
  }
}

/**
 * Signed results as people and other tools ask for them.
 *
 * Knows: what is worth telling of a result and its signer. Does not know: which result a file belongs to, or how it is shown.
 */
import type { Digest, Key } from "../base/index.ts";
import type { SharedResult } from "../contracts/index.ts";
import { envelopeOf, isOfAction, isReceipt, type Members, signerIn, subjectName } from "../trust/index.ts";
import type { KeptShelf } from "./network-sharing.ts";

export interface AttestationsParts {
  readonly shelf: KeptShelf;
  readonly members: Members;
}

export class Attestations {
  readonly #parts: AttestationsParts;

  constructor(parts: AttestationsParts) {
    this.#parts = parts;
  }

  get network(): Digest {
    return this.#parts.members.network;
  }

  /** Of an action, where there is one, or else of what has led to a file of this content. */
  find({ action, output }: { readonly action: Digest; readonly output: Digest }): object {
    const { shelf } = this.#parts;
    const found = action === "" ? [] : shelf.ofAction(action);
    return { attestations: (found.length > 0 || output === "" ? found : shelf.ofOutput(output)).map((shared) => this.#describe(shared)) };
  }

  /** Undefined for a key that no member ever had. */
  signer(key: Key): object | undefined {
    const { state, self } = this.#parts.members;
    const member = state && signerIn(state, key);
    if (member === undefined) return undefined;
    return { name: member.name, domain: member.domain, standing: member.standing, self: member.key === self };
  }

  #describe(shared: SharedResult): object {
    const { entry, result, execution } = shared;
    return {
      action: entry.action,
      key: execution.signer,
      received: isReceipt(result.outputs),
      // What an action of a build tool was made of.
      madeOf: isOfAction(result.outputs) ? entry.inputs.map(({ path, digest }) => ({ name: path, digest })) : [],
      signer: this.signer(execution.signer) ?? null,
      toolchain: execution.toolchain,
      startedAt: new Date(execution.startedAtMs).toISOString(),
      tookMs: execution.endedAtMs - execution.startedAtMs,
      inputs: entry.inputs.length,
      absent: entry.absent.length,
      outputs: result.outputs.map(({ path, digest, size }) => ({
        path: subjectName(path),
        digest,
        size,
      })),
      envelope: envelopeOf(this.network, shared),
    };
  }
}

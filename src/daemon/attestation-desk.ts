/**
 * The set of attestations as a running network sees it: what comes from elsewhere is verified before it is kept, and what this node signs is
 * added.
 *
 * Knows: who may be in the set. Does not know: how copies are made equal, or what falls out of one that is too large.
 */
import { setImmediate as otherWork } from "node:timers/promises";
import { type AttestationId, type Digest, type Key, type Log, limits } from "../base/index.ts";
import type { Admission, Attestation, AttestationSet, IdRanges, KnownAttestation, SharedResult } from "../contracts/index.ts";
import { attestationOf, type Members, signerIn, verifiedId, voter } from "../trust/index.ts";
import type { NetworkCodec } from "../wire/index.ts";

/** Where attestations are kept. */
export interface AttestationStore {
  readonly ids: IdRanges;
  bodies(ids: readonly AttestationId[]): Uint8Array[];
  /** Whether there is one of a result of that request. */
  knows(manifest: Digest): boolean;
  /** Who has signed some. */
  signersOf(manifest: Digest): readonly Key[];
  /** Those of one action, as far as they are to be looked at. @param groupOf who has one voice with others */
  of(action: Digest, groupOf: (signer: Key) => string | undefined): Uint8Array[];
  add(attestations: readonly KnownAttestation[]): number;
  keepOnly(signers: ReadonlySet<Key>, signal: AbortSignal): Promise<void>;
}

export interface AttestationDeskParts {
  readonly known: AttestationStore;
  readonly members: Members;
  readonly codec: NetworkCodec;
  readonly log: Log;
}

/** Signatures that are verified between two looks at whatever else there is to do: a few ms. */
const VERIFIED_AT_ONCE = 16;

/** What somebody passes on, once it was looked at. */
export type Checked =
  | { readonly kind: "good"; readonly attestation: KnownAttestation }
  | { readonly kind: "forged" }
  | { readonly kind: "unwelcome" };

interface Waiting {
  readonly attestations: readonly Uint8Array[];
  readonly done: (admission: Admission) => void;
}

export class AttestationDesk implements AttestationSet, Disposable {
  readonly #parts: AttestationDeskParts;
  readonly #listeners: ((ids: readonly AttestationId[]) => void)[] = [];
  readonly #expecting: ((coming: readonly KnownAttestation[]) => void)[] = [];
  readonly #readers: ((known: readonly KnownAttestation[]) => void)[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #stop = new AbortController();
  #waitingCount = 0;
  #isWorking = false;
  #pruning: Promise<void> = Promise.resolve();

  constructor(parts: AttestationDeskParts) {
    this.#parts = parts;
    parts.members.onChange(() => this.#prune());
    this.#prune();
  }

  get ids(): IdRanges {
    return this.#parts.known.ids;
  }

  bodies(ids: readonly AttestationId[]): Uint8Array[] {
    return this.#parts.known.bodies(ids);
  }

  /** What is known of an action of that request, verified when it was taken in: of each domain as much as matters, and what this node has signed besides. */
  of(manifest: Digest, action: Digest): Attestation[] {
    const { known, members, codec } = this.#parts;
    const { state, self } = members;
    if (state === undefined) return [];
    const groupOf = (signer: Key): string | undefined => (signerIn(state, signer)?.key === self ? self : voter(state, signer)?.domain);
    const all = known.of(action, groupOf).map((bytes) => codec.decodeAttestation(bytes));
    return all.filter((one) => one.manifest === manifest); // An action is of one request, and whoever says something else of none.
  }

  onOwn(listener: (ids: readonly AttestationId[]) => void): void {
    this.#listeners.push(listener);
  }

  /** This node has signed these. */
  attested(shared: readonly SharedResult[]): void {
    const { known, members, codec } = this.#parts;
    const own = shared.flatMap((one): KnownAttestation[] => {
      const { id, attestation } = attestationOf(members.network, one);
      const bytes = codec.encodeAttestation(attestation);
      return bytes === undefined ? [] : [{ id, signer: one.execution.signer, manifest: one.manifest, action: one.entry.action, bytes }];
    });
    if (known.add(own) === 0) return;
    for (const listener of this.#listeners) listener(own.map(({ id }) => id));
    this.#tell(own);
  }

  /** Calls `listener` with what others have signed and is going to be known, and was not before: before it outlives this process. */
  onComing(listener: (coming: readonly KnownAttestation[]) => void): void {
    this.#expecting.push(listener);
  }

  /** Calls `listener` with what is known now and was not before. */
  onKnown(listener: (known: readonly KnownAttestation[]) => void): void {
    this.#readers.push(listener);
  }

  admit(attestations: readonly Uint8Array[], done: (admission: Admission) => void): void {
    if (this.#waitingCount + attestations.length > limits.attestationSet.admittingMost) return done({ kept: 0, forged: 0, unwelcome: 0 });
    this.#waitingCount += attestations.length;
    this.#waiting.push({ attestations, done });
    if (!this.#isWorking) void this.#work();
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#waiting.length = 0;
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const total = { kept: 0, forged: 0, unwelcome: 0 };
      for (let at = 0; at < next.attestations.length && !this.#stop.signal.aborted; at += VERIFIED_AT_ONCE) {
        await otherWork();
        const checked = next.attestations.slice(at, at + VERIFIED_AT_ONCE).map((bytes) => checkAttestation(this.#parts, bytes));
        const good = checked.flatMap((one) => (one.kind === "good" ? [one.attestation] : []));
        const coming = good.filter(({ id }) => !this.#parts.known.ids.has(id));
        if (coming.length > 0) for (const listener of this.#expecting) listener(coming);
        total.kept += this.#parts.known.add(good);
        this.#tell(good);
        total.forged += checked.filter(({ kind }) => kind === "forged").length;
        total.unwelcome += checked.filter(({ kind }) => kind === "unwelcome").length;
        if (total.forged > 0) break; // Whoever sent that is not asked again.
      }
      this.#waitingCount -= next.attestations.length;
      if (this.#stop.signal.aborted) break;
      if (total.kept + total.forged + total.unwelcome > 0) this.#parts.log.event("debug", "attestations.admitted", total);
      next.done(total);
    }
    this.#isWorking = false;
  }

  #tell(known: readonly KnownAttestation[]): void {
    if (known.length > 0) for (const listener of this.#readers) listener(known);
  }

  /** What is not of an active member is no part of the set. */
  #prune(): void {
    const { members, known, log } = this.#parts;
    const { state } = members;
    if (state === undefined) return;
    const active = new Set(
      [...state.members.values()].flatMap(({ standing, attestationKey }) => (standing === "active" ? [attestationKey] : [])),
    );
    this.#pruning = this.#pruning
      .then(() => known.keepOnly(active, this.#stop.signal))
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) log.event("warn", "attestations.not-pruned", { error: String(error) });
      });
  }
}

/** Whether an attestation may be in the set: of an active member, who has signed it. */
export function checkAttestation(
  { codec, members }: { readonly codec: NetworkCodec; readonly members: Pick<Members, "network" | "state"> },
  bytes: Uint8Array,
): Checked {
  try {
    const attestation = codec.decodeAttestation(bytes);
    const { manifest, action, execution } = attestation;
    const { signer } = execution;
    // First what costs little.
    if (members.state === undefined || signerIn(members.state, signer)?.standing !== "active") return { kind: "unwelcome" };
    const id = verifiedId(members.network, attestation);
    return id === undefined ? { kind: "forged" } : { kind: "good", attestation: { id, signer, manifest, action, bytes } };
  } catch {
    return { kind: "forged" }; // Nobody who looks at what is passed on passes that on.
  }
}

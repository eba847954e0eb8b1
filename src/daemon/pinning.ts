/**
 * Pinning as people ask for it: a source, an output, an action or a blob becomes what stays here.
 *
 * Knows: what a name leads to. Does not know: how pins are kept, or what evicts.
 */
import { CairnError, type Digest, type NameRecord } from "../base/index.ts";
import type { LocalStore, ResultIndex } from "../contracts/index.ts";
import type { Pin, Pins } from "../store/index.ts";
import { loadTreeCodec, type TreeCodec } from "../wire/index.ts";
import type { PinnedResults } from "./pinned-results.ts";
import type { PinFindings } from "./store-doctor.ts";
import type { Tell, Trees } from "./trees.ts";

export interface PinningParts {
  readonly store: Pick<LocalStore, "has">;
  readonly index: Pick<ResultIndex, "result" | "history">;
  /** Signed results of this node's network, where it is in one. */
  readonly results: () => SignedResults | undefined;
  readonly pins: Pins;
  /** What members call a digest; undefined when nobody says, or this node is in no network. */
  readonly resolve: (name: string) => Promise<NameRecord | undefined>;
  readonly trees: Pick<Trees, "pin">;
  /** Members that are there and keep a file or directory that is pinned here; undefined where this node is in no network. */
  readonly copiesOf: (root: Digest) => number | undefined;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface SignedResults extends Pick<PinnedResults, "pinned" | "settledAs"> {
  /** Brings one that is gone from whoever has it. @returns whether it is here */
  mend(manifest: Digest, action: Digest, signal: AbortSignal): Promise<boolean>;
}

/** What was typed, and what it may be. */
export interface PinQuestion {
  readonly name: string;
  /** Absolute path, where it may be one. */
  readonly file: string;
  /** Of the file's content, where there is one, or what was typed where that is a digest. */
  readonly digest: string;
}

type Found = Pick<Pin, "root" | "kind" | "manifest" | "blobs">;

export class Pinning {
  readonly #parts: PinningParts;

  constructor(parts: PinningParts) {
    this.#parts = parts;
  }

  /**
   * What a CID names, and files and directories that members have a name for, are brought here first.
   *
   * @throws {CairnError} not-found when nothing of the kind is here; limit-exceeded, home-unwritable; blob-absent
   */
  async pin(question: PinQuestion, tell: Tell, signal: AbortSignal): Promise<object> {
    const codec = await loadTreeCodec();
    const keep = (found: Found): object => {
      const pin: Pin = { ...found, name: question.name, atMs: this.#parts.now() };
      this.#parts.pins.add(pin);
      return described(pin, codec);
    };
    const here = await this.#find(question);
    const pinned = here === undefined ? await this.#parts.trees.pin(question.name, keep, tell, signal) : keep(here);
    if (pinned !== undefined) return pinned;
    const found = await this.#findNamed(question.name);
    if (found === undefined) {
      const why = `no result and no blob called ${question.name} is on this machine`;
      throw new CairnError("not-found", {
        why,
        advice:
          "name a source that was compiled with Cairn, an output of it, an action, a blob or a CID; any other file after cairn put FILE",
      });
    }
    return keep(found);
  }

  /** @throws {CairnError} not-found when it is not pinned, home-unwritable */
  async unpin(question: PinQuestion): Promise<object> {
    const { pins } = this.#parts;
    const meant = (await loadTreeCodec()).parseCid(question.name)?.digest ?? question.digest;
    const named = pins.list().filter(({ name, root }) => name === question.name || root === meant);
    const roots = named.length > 0 ? named : [(await this.#find(question)) ?? { root: "" }];
    const removed = roots.filter(({ root }) => pins.remove(root));
    if (removed.length === 0)
      throw new CairnError("not-found", { why: `${question.name} is not pinned`, advice: "cairn pins lists what is" });
    return { unpinned: removed.map(({ root }) => root) };
  }

  async pins(): Promise<object> {
    const codec = await loadTreeCodec();
    const rows = this.#parts.pins.list().map(async (pin) => {
      const copies = this.#parts.copiesOf(pin.root);
      return { ...described(pin, codec), missing: await this.#missing(pin), ...(copies === undefined ? {} : { copies }) };
    });
    return { pins: await Promise.all(rows) };
  }

  /**
   * Which pins lack blobs.
   *
   * @param mend asks members for files and directories first
   * @throws the signal's reason
   */
  async look(mend: boolean, tell: Tell, signal: AbortSignal): Promise<PinFindings> {
    const pins = this.#parts.pins.list();
    const [missing, mended]: [string[], string[]] = [[], []];
    for (const pin of pins) {
      if ((await this.#missing(pin)) === 0) continue;
      if (mend && (await this.#mend(pin, tell, signal))) mended.push(pin.name);
      else missing.push(pin.name);
    }
    return { pins: pins.length, missing, isAsked: mend, mended };
  }

  async #mend(pin: Pin, tell: Tell, signal: AbortSignal): Promise<boolean> {
    const { root, kind, manifest } = pin;
    if (kind === "result") {
      // What nobody has signed comes again with the compile alone: its result went with its blobs.
      const results = this.#parts.results();
      if (manifest === undefined || (await results?.mend(manifest, root, signal)) !== true) return false;
      // Another machine may have executed it with other outputs: those are what is here now.
      const here = { ...pin, blobs: results?.pinned(root)?.blobs ?? pin.blobs };
      this.#parts.pins.add(here);
      return (await this.#missing(here)) === 0;
    }
    const { formatCid } = await loadTreeCodec();
    try {
      const cid = formatCid({ digest: root, codec: kind === "tree" ? "directory" : "raw" });
      await this.#parts.trees.pin(cid, (found) => found, tell, signal); // It is pinned already.
      return true;
    } catch (error) {
      if (error instanceof CairnError) return false;
      throw error;
    }
  }

  async #find({ file, digest }: PinQuestion): Promise<Found | undefined> {
    const { index, store } = this.#parts;
    const row = file === "" ? undefined : index.history(file);
    const compiled = row === undefined ? undefined : (JSON.parse(row.body) as { readonly action?: Digest }).action;
    const root = compiled ?? digest;
    if (root === "") return undefined;
    const result = index.result(root);
    if (result !== undefined) {
      const results = this.#parts.results();
      const blobs = result.outputs.map((output) => output.digest);
      // What is not signed under its own name may be under another.
      const action = results?.pinned(root) === undefined ? (results?.settledAs(blobs) ?? root) : root;
      const manifest = results?.pinned(action)?.manifest;
      return { root: action, kind: "result", blobs, ...(manifest === undefined ? {} : { manifest }) };
    }
    return digest !== "" && (await store.has(digest)) ? { root: digest, kind: "blob", blobs: [digest] } : undefined;
  }

  async #findNamed(name: string): Promise<Found | undefined> {
    const record = await this.#parts.resolve(name);
    return record === undefined ? undefined : this.#find({ name, file: "", digest: record.root });
  }

  /** Blobs that were damaged or removed by hand. */
  async #missing({ blobs }: Pin): Promise<number> {
    const here = await Promise.all(blobs.map((blob) => this.#parts.store.has(blob)));
    return here.filter((is) => !is).length;
  }
}

/** Actions are no content: they have no CID. */
function described({ root, kind, name, blobs, atMs }: Pin, { formatCid }: TreeCodec): object {
  const cid = kind === "result" ? {} : { cid: formatCid({ digest: root, codec: kind === "tree" ? "directory" : "raw" }) };
  return { root, ...cid, kind, name, blobs: blobs.length, at: new Date(atMs).toISOString() };
}

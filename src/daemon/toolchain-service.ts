/**
 * Compilers for others' jobs: this machine's own where they lie as they do at whoever asks, those that members have sent, and fetching of
 * others in the background.
 *
 * Knows: who may send what, when there is time and room for it. Does not know: how a pack is judged, what is compiled.
 */
import { basename, dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Digest, type Environment, type Key, type Log, limits, reasonOf, type ToolchainsAccept } from "../base/index.ts";
import type { Files, Installed, Supplied, Toolchain, ToolchainOffer, ToolchainSupply } from "../contracts/index.ts";
import type { LocalToolchains } from "../exec/index.ts";
import type { DiskStore, Pins } from "../store/index.ts";
import { loadNetworkCodec, loadTreeCodec, type ToolchainQuestion } from "../wire/index.ts";
import { type Brought, bringToolchain, type Postponed } from "./toolchain-fetch.ts";
import { HeardOffers, type ToolchainNetwork } from "./toolchain-heard.ts";
import type { Asked, NotTaken } from "./toolchain-pack.ts";
import { ToolchainPacker } from "./toolchain-packer.ts";
import { type Shelved, ToolchainShelf } from "./toolchain-shelf.ts";
import { FetchWindow } from "./toolchain-window.ts";

export interface ToolchainServiceParts {
  readonly toolchains: LocalToolchains;
  readonly files: Files;
  readonly store: DiskStore;
  readonly pins: Pins;
  readonly log: Log;
  readonly network: () => ToolchainNetwork | undefined;
  /** Whether nobody builds here. */
  readonly isQuiet: () => boolean;
  /** Of the daemon. */
  readonly env: Environment;
  /** Lays one out before the first job needs it. */
  readonly prepare: (toolchain: Toolchain, signal: AbortSignal) => Promise<void>;
  /** Called when there is another toolchain here. */
  readonly changed: () => void;
  /** ms since the epoch */
  readonly now: () => number;
}

export interface ToolchainServiceOptions {
  readonly file: string;
  readonly capacityBytes: number;
  readonly accept: ToolchainsAccept;
}

/** What somebody wanted, and nobody has approved. */
export interface Wanted extends ToolchainOffer {
  readonly digest: Digest;
  readonly from: Key;
}

const { offers: mostRefused, wanted: mostWanted, refusedMs, retryMs, fetchMs, quietEveryMs } = limits.toolchains;
/** Names that compilers have: what a member names is run, if only to ask it what it is. */
const COMPILER_NAME = /^(?:[a-z0-9_]{1,16}(?:-[a-z0-9_]{1,16}){1,3}-)?(?:cc|c\+\+|gcc|g\+\+|clang|clang\+\+)(?:-\d{1,2})?$/;
const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64" };

export class ToolchainService implements ToolchainSupply, AsyncDisposable {
  readonly shelf: ToolchainShelf;
  readonly #parts: ToolchainServiceParts;
  readonly #options: ToolchainServiceOptions;
  readonly #packer: ToolchainPacker;
  readonly #window: FetchWindow;
  readonly #stop = new AbortController();
  readonly #machine: string = MACHINES[process.arch] ?? process.arch;
  /** What this machine executes. */
  readonly platform: string = `${process.platform}-${this.#machine}`;
  readonly #heard: HeardOffers;
  /** Those that have been read from the disk, by root. */
  readonly #read = new Map<Digest, Promise<Installed | undefined>>();
  readonly #wanted = new Map<Digest, Wanted>();
  /** Approved, but for another platform as a member has said: this machine does not offer work for them, up to some time, for a member may be wrong. */
  readonly #foreign = new Map<Digest, number>();
  /** Packs that are not fetched before some time, by member, root and digest: who names a root otherwise after an upgrade has said nothing wrong. */
  readonly #refused = new Map<string, { readonly untilMs: number; readonly why: string }>();
  /** Once what was kept under names of before has those of now. */
  readonly #renewed: Promise<void>;
  #installed: { readonly toolchains: readonly Toolchain[]; readonly atMs: number } | undefined;
  #fetching: { readonly root: Digest; readonly ended: Promise<void> } | undefined;

  constructor(parts: ToolchainServiceParts, options: ToolchainServiceOptions) {
    this.#parts = parts;
    this.#options = options;
    this.shelf = ToolchainShelf.open(parts, options);
    this.#packer = new ToolchainPacker({ ...parts, codecs: loadCodecs });
    this.#heard = new HeardOffers(parts);
    this.#window = new FetchWindow({ now: parts.now });
    this.#renewed = this.shelf.isOfBefore ? this.#renew() : Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#renewed, this.#fetching?.ended]);
  }

  /** What this machine can run for others; without fetching anything, but for what was approved where nothing else is taken. */
  get digests(): readonly Digest[] {
    const own = this.#own().map(({ digest }) => digest);
    const kept = this.#usable().map(({ digest }) => digest);
    const approved = this.takes ? [] : [...this.approvedByNetwork, ...this.shelf.approved];
    const now = this.#parts.now();
    // No more than so many are told to others: what is here comes first.
    return [
      ...new Set([...own, ...kept, ...approved.filter((digest) => this.isApproved(digest) && now >= (this.#foreign.get(digest) ?? 0))]),
    ];
  }

  /** Somebody has looked at a compiler of this machine: it is told with the next. */
  looked(): void {
    this.#installed = undefined;
  }

  /** What is installed, to be told: as of a moment ago, since each look reads the state of every file of every compiler. */
  #own(): readonly Toolchain[] {
    const now = this.#parts.now();
    if (this.#installed === undefined || now - this.#installed.atMs >= limits.placement.tellLookMs)
      this.#installed = { toolchains: this.#parts.toolchains.installed().map(({ toolchain }) => toolchain), atMs: now };
    return this.#installed.toolchains;
  }

  /** What has come and may still be used. */
  #usable(): readonly Shelved[] {
    return this.shelf.list().filter(({ digest, from }) => this.#mayCome(digest, from));
  }

  /** By its policy; this machine's own approvals are on the shelf. */
  get approvedByNetwork(): readonly Digest[] {
    return this.#parts.network()?.approved() ?? [];
  }

  /** For which these build, as they call them. */
  get targets(): readonly string[] {
    const own = this.#own();
    const kept = this.#usable().map(({ target }) => target);
    return [...new Set([...own.map(({ target }) => target), ...kept, ...own.flatMap(({ targets }) => targets)])];
  }

  /** Whether toolchains are fetched that nobody here has looked at. */
  get takes(): boolean {
    return this.#accept !== "approved";
  }

  /** This machine's own word, or the network's where that is stricter. */
  get #accept(): ToolchainsAccept {
    return this.#parts.network()?.accepts(this.#options.accept) ?? this.#options.accept;
  }

  /** What others wanted, and somebody here would have to approve; newest last. */
  get wanted(): readonly Wanted[] {
    return [...this.#wanted.values()].filter(({ digest }) => !this.isApproved(digest));
  }

  /** What members hear of this machine's own. */
  async offer(question: ToolchainQuestion, signal: AbortSignal): Promise<ToolchainOffer | undefined> {
    return this.#packer.offer(question, AbortSignal.any([signal, this.#stop.signal]));
  }

  async supply(digest: Digest, root: Digest | undefined, member: Key, signal: AbortSignal): Promise<Supplied> {
    const known = root && (await this.#here(digest, root, member, signal));
    if (known) return { kind: "installed", installed: known };
    const offer = await this.#heard.of({ digest, root }, member);
    signal.throwIfAborted();
    if (offer === undefined) return absent("who asks does not say what it consists of");
    if (root !== undefined && offer.root !== root) {
      this.#heard.forget({ digest, root }, member); // It has moved since the job was sent, or since it was said.
      return absent("who asks says that it is another one by now");
    }
    if (this.#parts.toolchains.find(digest).length === 0) await this.#lookAt(offer.compiler);
    const here = await this.#here(digest, offer.root, member, signal);
    if (here !== undefined) return { kind: "installed", installed: here };
    const why = this.#objection(digest, offer, member);
    if (why !== undefined) return absent(why);
    this.#fetchSoon(digest, offer, member);
    return absent(this.#fetching?.root === offer.root ? "being fetched" : "another one is being fetched");
  }

  mayRun(supplied: Toolchain, member: Key): boolean {
    const { digest, layout } = supplied;
    if (layout === undefined) return this.#parts.toolchains.mayRun(supplied);
    return this.shelf.has(layout.root) && this.#mayCome(digest, member);
  }

  /** This machine's own, or one that has come and may be used. */
  async #here(digest: Digest, root: Digest, member: Key, signal: AbortSignal): Promise<Installed | undefined> {
    for (const own of this.#parts.toolchains.find(digest)) if ((await this.#packer.describe(own, signal))?.offer.root === root) return own;
    const kept = await this.#kept(root);
    return kept?.toolchain.digest === digest && this.#mayCome(digest, member) ? kept : undefined;
  }

  /** What jobs of this machine say that they mean; undefined where that cannot be told. */
  async rootOf(compiler: string, digest: Digest, signal: AbortSignal): Promise<Digest | undefined> {
    const installed = this.#parts.toolchains.find(digest).find((one) => one.compiler === compiler);
    return installed && (await this.described(installed, signal))?.root;
  }

  /** What this machine's own are called as packs, for people. */
  async described(installed: Installed, signal: AbortSignal): Promise<ToolchainOffer | undefined> {
    return (await this.#packer.describe(installed, signal))?.offer;
  }

  /** @throws {CairnError} limit-exceeded, home-unwritable */
  approve(digest: Digest): void {
    this.shelf.approve(digest);
    this.#wanted.delete(digest);
  }

  /** A compiler that lies here too may be one that nobody has used yet. */
  async #lookAt(path: string): Promise<void> {
    const { toolchains, env } = this.#parts;
    const searched = (env.PATH ?? "").split(":");
    if (!COMPILER_NAME.test(basename(path)) || !searched.includes(dirname(path))) return;
    await toolchains.identify(path, new Map([["PATH", env.PATH ?? ""]]), this.#stop.signal);
    this.looked();
  }

  /** Toolchains were called otherwise in the version before: what is here is what it was, and approved if it was. Never rejects. */
  async #renew(): Promise<void> {
    try {
      for (const { root } of this.shelf.list()) {
        const installed = await this.#kept(root);
        if (this.#stop.signal.aborted) return; // At the next start.
        if (installed !== undefined) this.shelf.rename(root, installed.toolchain.digest);
      }
      this.shelf.forgetBefore();
      if (this.shelf.list().length > 0) this.#parts.changed();
    } catch (error) {
      this.#parts.log.event("warn", "toolchains.not-renamed", { why: reasonOf(error) });
    }
  }

  #kept(root: Digest): Promise<Installed | undefined> {
    const shelved = this.shelf.use(root);
    if (shelved === undefined) return Promise.resolve(undefined);
    const known = this.#read.get(root);
    if (known !== undefined) return known;
    const read = this.#readShelved(shelved);
    this.#read.set(root, read);
    dropOldest(this.#read, limits.toolchains.kept);
    return read;
  }

  /** After a restart: what is on the disk is judged like what has just come. */
  async #readShelved({ digest, root }: Shelved): Promise<Installed | undefined> {
    let why: string;
    try {
      const brought = await this.#bring({ digest: this.shelf.isOfBefore ? undefined : digest, root }, undefined, () => undefined);
      if (brought.kind === "unpacked") return brought.installed;
      ({ why } = brought);
    } catch (error) {
      why = reasonOf(error);
    }
    this.#read.delete(root);
    if (!this.#stop.signal.aborted) this.shelf.remove(root, why); // Something of it is gone: it can be fetched again.
    return undefined;
  }

  #objection(digest: Digest, offer: ToolchainOffer, member: Key): string | undefined {
    const refused = this.#refused.get(refusal(digest, offer, member));
    if (refused !== undefined && this.#parts.now() < refused.untilMs) return refused.why;
    if (offer.platform !== this.platform) {
      if (this.isApproved(digest)) this.#isForeign(digest);
      return this.#refuse(digest, offer, member, `it is for ${offer.platform}, and this machine is ${this.platform}`);
    }
    if (!this.#mayCome(digest, member)) {
      this.#want({ ...offer, digest, from: member });
      return "nobody here has approved it";
    }
    return undefined;
  }

  /** Whether a member's jobs may use it here; it may have come when that was otherwise. */
  #mayCome(digest: Digest, member: Key): boolean {
    const accept = this.#accept;
    if (this.shelf.denied.has(digest)) return false;
    const isTaken = accept === "network" || (accept === "domain" && this.#parts.network()?.isOfOwnDomain(member) === true);
    return isTaken || this.isApproved(digest);
  }

  /** By its owner, or by the network's policy where the owner has not refused it. */
  isApproved(digest: Digest): boolean {
    return this.shelf.approved.has(digest) || (!this.shelf.denied.has(digest) && this.approvedByNetwork.includes(digest));
  }

  #isForeign(digest: Digest): void {
    this.#foreign.delete(digest);
    this.#foreign.set(digest, this.#parts.now() + refusedMs);
    dropOldest(this.#foreign, mostRefused);
    this.#parts.changed();
  }

  #want(wanted: Wanted): void {
    if (!this.#wanted.has(wanted.digest)) {
      const { digest, from, compiler, version, target } = wanted;
      this.#parts.log.event("warn", "toolchains.wanted", { digest, peer: from, compiler, version, target });
    }
    this.#wanted.delete(wanted.digest);
    this.#wanted.set(wanted.digest, wanted);
    dropOldest(this.#wanted, mostWanted);
  }

  /** Does nothing while another one is on its way: the next job asks again. */
  #fetchSoon(digest: Digest, offer: ToolchainOffer, member: Key): void {
    if (this.#fetching !== undefined || this.#stop.signal.aborted) return;
    const ended = this.#fetch(digest, offer, member).finally(() => {
      this.#fetching = undefined;
    });
    this.#fetching = { root: offer.root, ended };
  }

  /** Never rejects. */
  async #fetch(digest: Digest, offer: ToolchainOffer, member: Key): Promise<void> {
    const { log, now } = this.#parts;
    const { root, compiler, version } = offer;
    const began = performance.now();
    try {
      await this.#untilQuiet();
      if (!this.#mayCome(digest, member)) return; // That was taken back meanwhile.
      const ready = await this.#parts.network()?.ask(member, { digest, pack: true, root });
      if (ready?.root !== root) {
        for (const said of [undefined, root]) this.#heard.forget({ digest, root: said }, member); // It may be another one by now.
        return this.#postpone(digest, offer, member, "not packed");
      }
      const brought = await this.#bring({ digest, root }, member, (bytes) => this.#admit(bytes, member));
      if (brought.kind === "refused") return void this.#refuse(digest, offer, member, brought.why);
      if (brought.kind === "postponed") return this.#postpone(digest, offer, member, brought.why);
      if (!this.#mayCome(digest, member)) return;
      const { installed, blobs, cameBytes } = brought;
      const { platform, family, target } = ready;
      this.shelf.add({ root, digest, from: member, fetchedAtMs: now(), blobs, family, version, target, platform, compiler });
      this.#read.set(root, Promise.resolve(installed));
      this.#wanted.delete(digest);
      // What is in the way of it will be in the way of the first job, which says so.
      await this.#parts.prepare(installed.toolchain, this.#stop.signal).catch(() => undefined);
      this.#parts.changed();
      const tookMs = Math.round(performance.now() - began);
      log.event("info", "toolchains.fetched", { digest, root, peer: member, compiler, version, bytes: brought.bytes, cameBytes, tookMs });
    } catch (error) {
      this.#postpone(digest, offer, member, reasonOf(error));
    }
  }

  /** The user comes first. @throws the signal's reason */
  async #untilQuiet(): Promise<void> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(fetchMs)]);
    while (!this.#parts.isQuiet()) await pause(quietEveryMs, undefined, { signal });
  }

  #admit(bytes: number, member: Key): string | undefined {
    if (!this.#window.take(member, bytes)) return "enough has been fetched for now";
    if (!this.#parts.store.hasRoom(bytes)) return "no room: store.capacity";
    return this.shelf.makeRoom(bytes) ? undefined : "no room: toolchains.capacity";
  }

  /** It will not be another one soon. @returns why */
  #refuse(digest: Digest, offer: ToolchainOffer, member: Key, why: string): string {
    const { root, compiler, version } = offer;
    this.#note(refusal(digest, offer, member), `refused: ${why}`, refusedMs);
    this.#parts.log.event("warn", "toolchains.declined", { digest, root, peer: member, compiler, version, why });
    return why;
  }

  #postpone(digest: Digest, offer: ToolchainOffer, member: Key, why: string): void {
    const { root, compiler, version } = offer;
    this.#note(refusal(digest, offer, member), `not fetched: ${why}`, retryMs);
    this.#parts.log.event("info", "toolchains.not-fetched", { digest, root, peer: member, compiler, version, why });
  }

  #note(name: string, why: string, forMs: number): void {
    this.#refused.delete(name);
    this.#refused.set(name, { untilMs: this.#parts.now() + forMs, why });
    dropOldest(this.#refused, mostRefused);
  }

  /** @param member undefined: only what is here */
  async #bring(
    asked: Asked,
    member: Key | undefined,
    admit: (bytes: number) => string | undefined,
  ): Promise<Brought | NotTaken | Postponed> {
    const { store, pins } = this.#parts;
    using hold = pins.hold();
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(fetchMs)]);
    const network = member === undefined ? undefined : this.#parts.network()?.trees;
    const own = member === undefined ? new Map<Digest, string>() : await this.#packer.places(this.#parts.toolchains.installed(), signal);
    const parts = { store, codecs: await loadCodecs(), network, own, machine: this.#machine };
    return await bringToolchain(parts, asked, member === undefined ? [] : [member], admit, hold.blobs, signal);
  }
}

async function loadCodecs(): Promise<{
  readonly messages: Awaited<ReturnType<typeof loadNetworkCodec>>;
  readonly trees: Awaited<ReturnType<typeof loadTreeCodec>>;
}> {
  return { messages: await loadNetworkCodec(), trees: await loadTreeCodec() };
}

function refusal(digest: Digest, { root }: ToolchainOffer, member: Key): string {
  return `${member} ${root} ${digest}`;
}

function absent(why: string): Supplied {
  return { kind: "absent", why };
}

function dropOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}

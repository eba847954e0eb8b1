/**
 * What sharing needs of a network that runs: other members' shelves, this node's signature, and the reader's rule.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, type DirectoryKind, type DoorsShare, type Key, type Log, limits, type SharingPolicy } from "../base/index.ts";
import type {
  Attestation,
  BlobSwarm,
  Directory,
  Exchange,
  FrameLanes,
  KnownAttestation,
  LocalStore,
  Observation,
  Reputations,
  ResultIndex,
  SharedResult,
  Shelf,
  Voucher,
} from "../contracts/index.ts";
import {
  AskingDirectory,
  type Candidate,
  Keep,
  MeshDirectory,
  type Network,
  RendezvousDirectory,
  RoundTalk,
  resultOffers,
  Share,
} from "../net/index.ts";
import {
  askingOrder,
  attest,
  claimIn,
  isAttested,
  isOfAction,
  isOfCommand,
  isReceipt,
  type KeyPair,
  type Members,
  outcomeKey,
  type Reproduction,
} from "../trust/index.ts";
import type { KeepVerdict, NetworkCodec } from "../wire/index.ts";
import { AttestationDesk, type AttestationStore } from "./attestation-desk.ts";
import { Contradictions } from "./contradictions.ts";
import { Convictions, type EvidenceStore } from "./convictions.ts";
import { GoneSigners } from "./gone-signers.ts";
import { Keeper } from "./keeper.ts";
import { type GrowingStore, LargeBlobs } from "./large-blobs.ts";
import type { PinnedResult, PinnedResults, ResultNamed } from "./pinned-results.ts";
import { PolicyWatch } from "./policy-watch.ts";
import { presentMembers } from "./present.ts";
import { ReadersRule } from "./readers-rule.ts";
import type { SignersShelf, TakingBack } from "./recalls.ts";
import type { Judging, ReceiptNetwork } from "./receipt-members.ts";
import type { RecordMembers } from "./record-members.ts";
import { type ReplicationFacts, Replicator, type ReplicatorParts } from "./replicator.ts";
import { Rounds } from "./rounds.ts";
import { Samples } from "./samples.ts";
import type { Judged, SharingNetwork, Unsigned, Word } from "./sharing.ts";
import { Withheld } from "./withheld.ts";
import { type KeptWorks, WorkersWords } from "./workers-words.ts";

/** What copies are kept in, and when there is time for them. */
export interface LocalCopies {
  readonly store: GrowingStore &
    Pick<LocalStore, "writeVerified"> & { hasRoom(bytes: number): boolean; sizeOf(digest: Digest): number | undefined };
  readonly index: Pick<ResultIndex, "add" | "result">;
  readonly works: KeptWorks;
  /** Whether nobody builds here. */
  readonly isQuiet: () => boolean;
}

export interface NetworkSharingParts {
  readonly network: Network;
  readonly members: Members;
  readonly codec: NetworkCodec;
  readonly attestationKeys: KeyPair;
  readonly shelf: KeptShelf;
  /** What this node knows of all members' attestations. */
  readonly known: AttestationStore;
  readonly local: LocalCopies;
  readonly swarm: BlobSwarm;
  readonly lanes: FrameLanes;
  readonly log: Log;
  /** No member is known to have results of a request. */
  readonly missed: (manifest: Digest) => void;
  readonly recalls: TakingBack;
  /** See Verifying.speak. */
  readonly speak: (action: Digest) => boolean;
  /** How doors share what tools leave there. */
  readonly doorsShare: () => DoorsShare;
  /** Whose word counts may not be what it was. */
  readonly wordsChanged: () => void;
  readonly kept: EvidenceStore;
  readonly reputations: Reputations;
  /** Among whom it is decided what belongs to whom. */
  readonly record: RecordMembers;
  /** All signed statements of the network. */
  readonly statements: () => readonly Uint8Array[];
}

/** A shelf that this node fills. */
export interface KeptShelf extends Shelf, SignersShelf, Disposable {
  /** Who vouches for a result, as far as this node has kept it. */
  signersOf(action: Digest): readonly Key[];
  /** Requests of what is told to who has not asked for it. */
  offered(): readonly Digest[];
  /** Calls `listener` soon after some of those were put on the shelf. */
  onOffered(listener: (added: readonly Digest[]) => void): void;
  /** Requests with signed results after this one, in order. */
  manifestsAfter(manifest: Digest, most: number): readonly Digest[];
  manifestsToJudge(manifest: Digest, most: number): readonly Digest[];
  put(shared: readonly SharedResult[]): number;
  /** The same of what this node has signed itself, which is kept however many have signed it. */
  putOwn(made: readonly SharedResult[]): number;
  ofAction(action: Digest): readonly SharedResult[];
  ofOutput(blob: Digest): readonly SharedResult[];
}

export interface NetworkSharingOptions {
  readonly policy: SharingPolicy;
  /** Members that are to have what this node makes; 0: nothing is copied. */
  readonly copies: number;
  /** `auto`: by the size of the network. */
  readonly directory: DirectoryKind | "auto";
}

export class NetworkSharing implements SharingNetwork, ReceiptNetwork, PinnedResults, Disposable {
  readonly share: Share;
  /** The same, but for large blobs. */
  readonly exchange: Exchange;
  readonly directory: Directory;
  readonly #replicator: Replicator;
  readonly #keeper: Keeper;
  readonly #desk: AttestationDesk;
  readonly #contradictions: Contradictions;
  readonly convictions: Convictions;
  readonly #parts: NetworkSharingParts;
  readonly #watch: PolicyWatch;
  readonly #rule: ReadersRule;
  readonly #stop = new AbortController();
  readonly #signed: ((made: readonly SharedResult[]) => void)[] = [];
  /** Signers whose results have been recalled. */
  readonly #gone = new GoneSigners();
  #recalling: Promise<void> = Promise.resolve();
  /** Nothing has been answered with its help yet. */
  #isStart = true;
  /** What an earlier process had left to be judged is, as soon as members are known. */
  #isLeftJudged = false;
  readonly #samples: Samples;
  readonly #withheld: Withheld;
  readonly #rounds: Rounds;
  readonly #words: WorkersWords;

  static async start(parts: NetworkSharingParts, options: NetworkSharingOptions): Promise<NetworkSharing> {
    const desk = new AttestationDesk(parts);
    const shelfFor = (member: Key): Shelf => shownTo(parts.shelf, (shared) => sharing.#mayHave(member, shared));
    const share = await Share.start({ ...parts, shelfFor, attestations: desk, now: () => performance.now() });
    const talk: RoundTalk = await RoundTalk.start({
      ...parts,
      takePart: (from, question) => sharing.#rounds.takePart(from, question),
      now: () => performance.now(),
    });
    const talks = { share, desk, talk };
    const sharing: NetworkSharing = new NetworkSharing(parts, talks, options, (to, items) => keep.offer(to, items));
    const dialect = resultOffers(parts.codec);
    const keep = await Keep.start({ ...parts, dialect, take: (from, items) => sharing.#keeper.take(from, items) });
    parts.network.onPeers(({ kind, key }) => sharing.#replicator[kind](key));
    parts.members.onChange(() => sharing.#recallSoon());
    sharing.#replicator.begin();
    sharing.convictions.resume();
    sharing.#recallSoon(); // What a crash had left.
    sharing.#isStart = false;
    sharing.#watch.look();
    return sharing;
  }

  private constructor(
    parts: NetworkSharingParts,
    { share, desk, talk }: { readonly share: Share; readonly desk: AttestationDesk; readonly talk: RoundTalk },
    options: NetworkSharingOptions,
    offer: ReplicatorParts["offer"],
  ) {
    const { members, shelf, log, local, record } = parts;
    const { policy, copies } = options;
    this.#parts = parts;
    this.share = share;
    const exchange = new LargeBlobs({ exchange: share, swarm: parts.swarm, store: local.store, log });
    this.exchange = exchange;
    this.directory = this.#directoryOf(options);
    this.#desk = desk;
    const known = (manifest: Digest, action: Digest): readonly Attestation[] => desk.of(manifest, action);
    const rule: ReadersRule = new ReadersRule(
      {
        ...parts,
        known,
        liars: () => this.convictions.discredited,
        isRefuted: (member) => this.#words.isRefuted(member),
        memberOf: (action) => local.works.memberOf(action),
        oneOf: (tier, signers, project) => this.#samples.oneOf(tier, signers, project),
      },
      { policy },
    );
    this.#rule = rule;
    const isBelieved = (shared: SharedResult): boolean => rule.isBelieved(shared);
    const isAskedFor = (shared: SharedResult): boolean => rule.isAskedFor(shared);
    const { recalls, attestationKeys } = parts;
    this.#contradictions = new Contradictions({ shelf, recalls, isBelieved, isAskedFor, self: attestationKeys.publicKey, log });
    const voices = (all: readonly Attestation[]): readonly Attestation[] => rule.voices(all);
    this.convictions = new Convictions({
      ...parts,
      known,
      speak: (action, manifest) => this.#rounds.speak(action, manifest),
      voices,
      changed: () => this.#recallSoon(),
      wait: (ms, signal) => sleep(ms, undefined, { signal, ref: false }),
    });
    this.#samples = new Samples(
      {
        ...parts,
        self: attestationKeys.publicKey,
        known,
        voices,
        discredited: () => rule.discredited,
      },
      { policy },
    );
    this.#words = new WorkersWords({
      ...local,
      isBelieved: (action) => shelf.ofAction(action).some(isBelieved),
      wordOf: (member) => rule.wordOf(member, undefined),
      recalls,
      log,
    });
    this.#withheld = new Withheld(
      { publish: (made) => this.#publish(made), after },
      { mostMs: limits.trust.round.withheldMs, mostOfOne: 4 },
    );
    this.#rounds = new Rounds({
      ...parts,
      known,
      present: () => presentMembers(members, parts.network),
      ask: (member, question, asker) => talk.ask(member, question, asker),
      withheld: this.#withheld,
      repeats: rule.repeats,
      heard: (said) => this.#said(said),
      openedFalsely: (shown) => this.convictions.openedFalsely(shown),
      random: () => randomBytes(32).toString("hex"),
      wait: (ms, signal) => sleep(ms, undefined, { signal, ref: false }),
    });
    const again = (manifest: Digest): void => this.#contradictions.now(manifest);
    this.#watch = new PolicyWatch({ ...parts, again }, { policy });
    desk.onComing((coming) => this.#expect(coming));
    desk.onKnown((known) => this.#heard(known));
    // Nobody would execute a copy once more before it is used.
    const isVouchedFor = (shared: SharedResult, from: Key): boolean => {
      const judged = this.judge(shared);
      this.given(from, shared, judged);
      return judged.kind === "believed" && judged.tier !== "speculative";
    };
    this.#keeper = new Keeper({
      ...local,
      exchange,
      shelf,
      isBelieved: isVouchedFor,
      hasRoom: (bytes) => local.store.hasRoom(bytes),
      keeps: copies > 0,
      log,
    });
    this.#replicator = new Replicator(
      {
        self: members.self,
        present: () => record.present(),
        isLinked: (key) => parts.network.connected(key),
        whoHas: (manifest) => exchange.whoHas(manifest),
        shelf,
        offer: (to, items) => (record.call(to) ? offer(to, items) : Promise.resolve(items.map(() => "busy"))),
        isQuiet: local.isQuiet,
        log,
        now: () => performance.now(),
      },
      { copies },
    );
  }

  #directoryOf({ directory, copies }: NetworkSharingOptions): Directory {
    const { members, network, known, record } = this.#parts;
    const whoHas = (manifest: Digest): readonly Key[] => this.exchange.whoHas(manifest);
    const mesh = new MeshDirectory({ whoHas });
    const present = (): Candidate[] => record.present().filter(({ key }) => !this.share.isLeftAlone(key));
    const call = (key: Key): boolean => record.call(key);
    const isAttested = (manifest: Digest): boolean => known.knows(manifest);
    const rendezvous = new RendezvousDirectory({ self: members.self, whoHas, isAttested, present, call }, { copies });
    // Members may come and go: who chooses is asked each time.
    const isLarge = (): boolean => network.choosesLinks;
    const chosen = (): Directory => (directory === "rendezvous" || (directory === "auto" && isLarge()) ? rendezvous : mesh);
    const inner: Directory = { find: (manifest, signal) => chosen().find(manifest, signal) };
    return new AskingDirectory({ inner, missed: this.#parts.missed });
  }

  /** What was done about copies since the start. */
  get copies(): ReplicationFacts {
    return this.#replicator.facts;
  }

  get policy(): SharingPolicy {
    return this.#watch.policy;
  }

  /** How many attestations this node knows. */
  get attestations(): number {
    return this.#desk.ids.size;
  }

  get shelf(): KeptShelf {
    return this.#parts.shelf;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.endRounds();
    this.#watch[Symbol.dispose]();
    this.#replicator[Symbol.dispose]();
    this.#keeper[Symbol.dispose]();
    this.share[Symbol.dispose]();
    this.convictions[Symbol.dispose]();
    this.#contradictions[Symbol.dispose]();
    this.#desk[Symbol.dispose]();
  }

  /** What this node has found is told while all are there who are to hear it: its log, too. */
  endRounds(): void {
    this.#rounds[Symbol.dispose]();
    this.#withheld[Symbol.dispose]();
  }

  sign(unsigned: Unsigned): SharedResult | undefined {
    const { attestationKeys, members } = this.#parts;
    return attest(attestationKeys, members.network, unsigned);
  }

  keep(made: readonly SharedResult[]): void {
    const open = this.#withheld.admit(made);
    if (open.length > 0) this.#publish(open);
  }

  #publish(made: readonly SharedResult[]): void {
    this.shelf.putOwn(made);
    this.#tell(made);
    for (const { manifest } of made) this.#replicator.made(manifest);
  }

  /** See PinnedResults. */
  pinned(action: Digest): PinnedResult | undefined {
    // Of several requests that it answers all nodes are to name the same.
    const [shared] = this.shelf
      .ofAction(action)
      .filter(({ result }) => !isThroughDoor(result.outputs))
      .toSorted((a, b) => (a.manifest < b.manifest ? -1 : 1));
    if (shared === undefined) return undefined;
    return { manifest: shared.manifest, blobs: [...new Set(shared.result.outputs.map(({ digest }) => digest))] };
  }

  /** See PinnedResults. */
  settledAs(blobs: readonly Digest[]): Digest | undefined {
    const [first] = blobs;
    const wanted = new Set(blobs);
    const isSame = ({ result: { outputs } }: SharedResult): boolean => {
      const has = new Set(outputs.map(({ digest }) => digest));
      return !isThroughDoor(outputs) && has.size === wanted.size && [...has].every((digest) => wanted.has(digest));
    };
    const same = first === undefined ? [] : this.shelf.ofOutput(first).filter(isSame);
    return same.map(({ entry }) => entry.action).toSorted()[0];
  }

  /** See PinnedResults. */
  bring(from: Key, { manifest, action }: ResultNamed, hasRoom: (bytes: number) => boolean, signal: AbortSignal): Promise<KeepVerdict> {
    return this.#keeper.bring(from, { manifest, actions: [action] }, hasRoom, signal);
  }

  /** Brings a signed result that has gone from here from whoever has it. @returns whether it is here. Never rejects */
  async mend(manifest: Digest, action: Digest, signal: AbortSignal): Promise<boolean> {
    const always = (): boolean => true; // It is this node's own, and what it had has been counted.
    for (const from of this.askFirst(this.exchange.whoHas(manifest)))
      if ((await this.bring(from, { manifest, action }, always, signal)) === "kept") return true;
    return false;
  }

  /** What came through doors is told to nobody: who wants it asks. What was executed is in the log, as all that this node stands for. */
  keepSigned(made: readonly SharedResult[]): void {
    this.shelf.putOwn(made);
    const executed = made.filter(({ result }) => isOfAction(result.outputs));
    if (executed.length > 0) for (const listener of this.#signed) listener(executed);
  }

  get takesExecuted(): boolean {
    return this.#rule.takesExecuted;
  }

  get isOfSeveral(): boolean {
    return this.#rule.isOfSeveral;
  }

  domainOf(member: Key): string {
    return this.#rule.domainOf(member);
  }

  get takesReceipts(): boolean {
    return this.#rule.takesReceipts;
  }

  isKin(key: Key): boolean {
    return this.#rule.isKin(key);
  }

  /** What tools leave here is for machines of the own domain alone, what was executed for them as far as doors share. */
  #mayHave(member: Key, { result: { outputs } }: SharedResult): boolean {
    if (!isThroughDoor(outputs)) return true;
    const share = this.#parts.doorsShare();
    return share !== "off" && ((share === "policy" && isOfAction(outputs)) || this.isKin(member));
  }

  /** This node has executed and signed it. */
  #tell(made: readonly SharedResult[]): void {
    this.#desk.attested(made);
    this.#samples.executed(made);
    for (const listener of this.#signed) listener(made);
  }

  /** Signs what this node has executed for a member, who keeps it, and tells others that it has. */
  vouch(unsigned: Unsigned): SharedResult | undefined {
    const shared = this.#isSignedEnough(unsigned) ? undefined : this.sign(unsigned);
    // Of what it is asked about in a round nobody hears before that is over, whoever has asked for it.
    if (shared === undefined || this.#withheld.admit([shared]).length === 0) return undefined;
    this.#tell([shared]);
    return shared;
  }

  /** Once more says nothing new, and pushes something else out of what is known of this node. */
  #isSignedEnough({ manifest, entry }: Unsigned): boolean {
    const self = this.#parts.attestationKeys.publicKey;
    const own = this.#desk.of(manifest, entry.action).filter(({ execution }) => execution.signer === self);
    return own.length >= limits.trust.vouchedPerAction;
  }

  vouched(
    member: Key,
    made: Pick<SharedResult, "manifest" | "entry" | "result">,
    toolchain: Digest,
    { startedAtMs, endedAtMs, signature }: Voucher,
  ): SharedResult | undefined {
    const { members } = this.#parts;
    const signer = members.state?.members.get(member)?.attestationKey;
    if (signer === undefined || members.standing(member) !== "active" || this.discredited.has(signer)) return undefined;
    const shared = { ...made, execution: { signer, toolchain, startedAtMs, endedAtMs }, signature };
    return isAttested(members.network, shared) ? shared : undefined;
  }

  mayHelp(project: SharingPolicy | undefined): boolean {
    return this.#rule.mayHelp(project);
  }

  wordOf(member: Key, project: SharingPolicy | undefined): Word | undefined {
    return this.#rule.wordOf(member, project);
  }

  checkedWork(member: Key, action: Digest, isSame: boolean): void {
    // Of what was signed the sample tells, but for commands.
    if (this.shelf.ofAction(action).every(({ result }) => isOfCommand(result.outputs))) this.observe(member, { kind: "checked", isSame });
    if (isSame) return;
    this.#words.refute(member);
    this.#parts.log.event("warn", "work.refuted", { member, action });
    this.#recallSoon();
  }

  keepOthers(made: readonly SharedResult[]): void {
    this.shelf.put(made);
    for (const { manifest } of made) this.#replicator.made(manifest);
  }

  /** Calls `listener` with what this node has signed. */
  onSigned(listener: (made: readonly SharedResult[]) => void): void {
    this.#signed.push(listener);
  }

  judge(shared: SharedResult, project?: SharingPolicy): Judged {
    return this.#rule.offered(shared, project);
  }

  judging(manifest: Digest, beside: readonly SharedResult[]): Judging {
    return this.#rule.judging(manifest, beside);
  }

  voiceOf(signer: Key): string | undefined {
    return this.#rule.voiceOf(signer);
  }

  /** Whether independent domains came to a result, and by which policy; undefined while no members are known. */
  reproduction(shared: SharedResult): (Reproduction & { readonly policy: SharingPolicy }) | undefined {
    const found = this.#rule.reproduction(shared);
    return found && { ...found, policy: this.policy };
  }

  /** A member has said that to this node alone; all are to know it. */
  #said(said: Attestation): void {
    const bytes = this.#parts.codec.encodeAttestation(said);
    if (bytes !== undefined) this.#desk.admit([bytes], () => undefined);
  }

  /** Attestation keys whose voices do not count here. */
  get discredited(): ReadonlySet<Key> {
    return this.#rule.discredited;
  }

  given(from: Key, shared: SharedResult, judged: Judged): void {
    const { members } = this.#parts;
    const isLookedAt = judged.kind === "believed" || judged.needed > 0;
    // Honest members have looked at every signature on their shelves.
    if (!isLookedAt && !isAttested(members.network, shared)) return this.share.lied(from, "signature");
    // Who signed it may only not have been heard of here.
    if (judged.kind === "refused" && judged.why === "stranger") this.share.vain(from);
  }

  /** Not cut off for it: another version may call actions otherwise. */
  useless(from: Key): void {
    this.share.vain(from);
  }

  askFirst(holders: readonly Key[]): readonly Key[] {
    if (holders.length < 2) return holders;
    const { network, reputations } = this.#parts;
    return askingOrder(
      holders.map((key) => ({ key, rttMs: network.rttMs(key), weight: reputations.forFetch(key) })),
      Math.random,
    );
  }

  observe(member: Key, what: Observation): void {
    this.#parts.reputations.observe(member, what);
  }

  isOthers(action: Digest): boolean {
    const signers = this.shelf.signersOf(action);
    return signers.length > 0 && !signers.includes(this.#parts.attestationKeys.publicKey);
  }

  kept(action: Digest, project: SharingPolicy): readonly { readonly shared: SharedResult; readonly judged: Judged }[] {
    return this.#rule.ofAction(action, project);
  }

  /** Who says to have executed an action of which a result is here, and whether that came of it. */
  voices(action: Digest): { readonly signer: Key; readonly isSame: boolean }[] {
    const [first] = this.shelf.ofAction(action).flatMap((shared) => claimIn(shared) ?? []);
    if (first === undefined) return [];
    const outcome = outcomeKey(first);
    return this.#desk.of(first.manifest, action).map((one) => ({ signer: one.execution.signer, isSame: outcomeKey(one) === outcome }));
  }

  #expect(coming: readonly KnownAttestation[]): void {
    if (this.isOfSeveral) this.#contradictions.expect([...new Set(coming.map(({ manifest }) => manifest))]);
  }

  /**
   * More is known of these requests' results. Those of one domain may contradict each other, and are believed all the same. What was brought and is
   * not kept yet need not be looked at: it is judged when it is kept, and nothing that answers for long is made of it before.
   */
  #heard(known: readonly KnownAttestation[]): void {
    if (!this.isOfSeveral) return;
    const byAction = new Map(known.map(({ manifest, action }) => [`${manifest} ${action}`, { manifest, action }]));
    for (const { manifest, action } of byAction.values()) this.convictions.look(manifest, action);
    void this.#contradictions.look([...new Set(known.map(({ manifest }) => manifest))]);
  }

  /** What members signed who were revoked, or whose word does not count, is not used any more. */
  #recallSoon(): void {
    const isStart = this.#isStart;
    this.#parts.wordsChanged();
    if (!this.#isLeftJudged && this.#parts.members.state !== undefined) {
      this.#isLeftJudged = true;
      void this.#contradictions.lookAtLeft();
    }
    this.#recalling = this.#recalling.then(() => this.#words.recall(this.#stop.signal)).catch(() => undefined); // This node stops.
    const members = [...(this.#parts.members.state?.members.values() ?? [])];
    const revoked = members.filter(({ standing }) => standing === "revoked").map(({ attestationKey }) => attestationKey);
    const gone = new Set([...revoked, ...this.discredited]);
    if (!this.#gone.isNews(gone)) return;
    this.#recalling = this.#recalling.then(() => this.#recall(gone, isStart)).catch(() => undefined); // This node stops.
  }

  async #recall(signers: ReadonlySet<Key>, isStart: boolean): Promise<void> {
    const forgotten = await this.#parts.recalls.bySigners(this.shelf, signers, isStart, this.#stop.signal);
    this.#parts.log.event("info", "sharing.recalled", { signers: signers.size, forgotten });
  }
}

/** Whether it is for who asks a door for it, and nobody else. */
function isThroughDoor(outputs: SharedResult["result"]["outputs"]): boolean {
  return isReceipt(outputs) || isOfAction(outputs);
}

/** What a member gets to see of the shelf. */
function shownTo(shelf: Shelf, isShown: (shared: SharedResult) => boolean): Shelf {
  return {
    manifests: () => shelf.manifests(),
    onChange: (listener) => shelf.onChange(listener),
    results: (manifest) => shelf.results(manifest).filter(isShown),
    following: (manifest, most) => shelf.following(manifest, most),
    blob: (digest, signal) => shelf.blob(digest, signal),
  };
}

function after(ms: number, done: () => void): () => void {
  const timer = setTimeout(done, ms).unref();
  return () => clearTimeout(timer);
}

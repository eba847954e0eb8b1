/**
 * What people may ask about the network, and what the other parts of a daemon need of it.
 *
 * Knows: what each question takes, and that most of them are answered one after the other. Does not know: when a network begins and ends, see
 * network-life.ts; how members agree or talk, see network-runtime.ts.
 */
import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { CairnError, type Digest, isDigest, isName, type Key, limits, type NameRecord, type WorkCircle } from "../base/index.ts";
import type { Placement, Slots, Workers } from "../contracts/index.ts";
import type { NetworkControls, TunnelControls } from "../doors/index.ts";
import type { ProjectPolicy } from "../flows/index.ts";
import { NetworkState } from "../store/index.ts";
import { loadTreeCodec } from "../wire/index.ts";
import type { Attestations } from "./attestations.ts";
import { nameFrom } from "./machine-name.ts";
import type { SavedIdentity } from "./network-home.ts";
import { NetworkLife, type NetworkLifeOptions, type NetworkLifeParts } from "./network-life.ts";
import { NetworkMetrics } from "./network-metrics.ts";
import type { PlacementSettings } from "./network-placement.ts";
import type { Challenger, NetworkRuntime, Signer, Voice } from "./network-runtime.ts";
import { presentMemberCalled } from "./network-views.ts";
import type { SignedResults } from "./pinning.ts";
import type { ReceiptNetwork } from "./receipt-members.ts";
import type { SharingNetwork } from "./sharing.ts";
import type { Summaries } from "./summaries.ts";
import type { ToolchainNetwork } from "./toolchain-heard.ts";
import type { TreeNetwork } from "./tree-fetch.ts";

/** Machines that an invitation names: who made it, and some that can stand in. */
const INVITATION_HOSTS = 3;
const PING_DEADLINE_MS = 5_000;
/** From being let in until all that says so has arrived. */
const SYNC_DEADLINE_MS = 10_000;
const POLL_MS = 10;

export interface NetworkServiceParts extends NetworkLifeParts {
  /** What the project demands that a file belongs to. */
  readonly projectOf: (path: string) => ProjectPolicy;
}

export class NetworkService implements NetworkControls, AsyncDisposable {
  readonly #log: NetworkMetrics;
  readonly #life: NetworkLife;
  readonly #projectOf: (path: string) => ProjectPolicy;

  constructor(parts: NetworkServiceParts, options: NetworkLifeOptions) {
    this.#log = new NetworkMetrics(parts.log);
    this.#life = new NetworkLife({ ...parts, log: this.#log }, options);
    this.#projectOf = parts.projectOf;
  }

  /** See NetworkLife. */
  begin(): void {
    this.#life.begin();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#life[Symbol.asyncDispose]();
  }

  /** Whether it is not known yet if this node is in a network. */
  get isStarting(): boolean {
    return this.#life.isStarting;
  }

  /** For `cairn status`; null in no network. */
  status(): unknown {
    if (this.#life.running === undefined) return null;
    const { members, network, sharing, waiting } = this.#life.running.runtime;
    const peers = network.peers();
    const connected = peers.filter(({ state }) => state === "connected").length;
    return {
      name: members.state?.name,
      standing: members.standing(members.self),
      members: members.others().length + 1,
      connected,
      isolation: network.isolation ?? null,
      attestations: sharing.attestations,
      waiting,
    };
  }

  /** Counts for `cairn stats`; null in no network. */
  metrics(): unknown {
    return this.#life.running?.runtime.metricsView(this.#log.counts) ?? null;
  }

  /** What people call the machine that signs with that attestation key. */
  nameOf(signer: string): string | undefined {
    return this.#life.running?.runtime.nameOf(signer);
  }

  /** What people call a member, and how far away it is; nothing of who is not known or not there. */
  member(key: Key): { readonly name?: string; readonly rttMs?: number } {
    return this.#life.running?.runtime.member(key) ?? {};
  }

  /** Who has signed what is here of an action. */
  signersOf(action: Digest): readonly Signer[] {
    return this.#life.running?.runtime.signersOf(action) ?? [];
  }

  /** @throws {CairnError} network-absent */
  async attestations(): Promise<Attestations> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.attestations);
  }

  /** @throws {CairnError} network-absent */
  async summaries(): Promise<Summaries> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.summaries);
  }

  /** Members of other domains that are there. @throws {CairnError} network-absent */
  async challengers(): Promise<readonly Challenger[]> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.challengers());
  }

  /** Other machines of this one's own domain that are there. @throws {CairnError} network-absent */
  async colleagues(): Promise<readonly Challenger[]> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.colleagues());
  }

  /** Signers whose word does not count here. @throws {CairnError} network-absent */
  async evidence(): Promise<object> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.evidence());
  }

  /** This node's log, and what it has seen of others'. @throws {CairnError} network-absent */
  async logs(): Promise<NetworkRuntime["logs"]> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.logs);
  }

  /** Who says to have executed an action, and what came of it. */
  voices(action: Digest): readonly Voice[] {
    return this.#life.running?.runtime.voices(action) ?? [];
  }

  /** What sharing needs of the network; undefined while this node is in none. */
  get sharing(): SharingNetwork | undefined {
    return this.#life.running?.runtime.sharing;
  }

  /** Signed results, as pins need them. */
  get results(): SignedResults | undefined {
    return this.#life.running?.runtime.sharing;
  }

  /** What doors need of it to share what tools leave there; the same. */
  get receipts(): ReceiptNetwork | undefined {
    return this.#life.running?.runtime.sharing;
  }

  /** Members that compile for this node; undefined while it is in no network. */
  get workers(): Workers | undefined {
    return this.#life.running?.runtime.work.workers;
  }

  /** Whether another member is connected. */
  get hasCompany(): boolean {
    return this.#life.running?.runtime.network.peers().some(({ state }) => state === "connected") === true;
  }

  /** Whether this node works for a member. */
  worksFor(member: Key): boolean {
    return this.#life.running?.runtime.work.admits(member) === true;
  }

  /** Whether this node runs general actions for a member. */
  actsFor(member: Key): boolean {
    const work = this.#life.running?.runtime.work;
    return work?.isOfOwnDomain(member) === true && work.admits(member);
  }

  init({ name, domain, machine, isUnanimous }: { name: string; domain: string; machine: string; isUnanimous: boolean }): Promise<unknown> {
    return this.#life.alone(async () => {
      await this.#life.refuseSecond();
      await this.#life.load();
      const { foundNetwork } = await import("./network-runtime.ts");
      const own = checkedName(machine, "machine") || nameFrom(hostname());
      const [called, first] = [checkedName(name, "name") || "home", checkedName(domain, "domain") || "home"];
      const names = { name: called, domain: first, machine: own, isUnanimous };
      const seeds = newSeeds();
      const { network, statements } = await foundNetwork(seeds, names, randomBytes(16));
      this.#life.home.remove();
      const identity = savedIdentity(network, own, seeds);
      this.#life.home.save(identity);
      {
        using kept = NetworkState.open(this.#life.home.database);
        kept.keep(statements);
      }
      const { runtime } = await this.#life.start(identity);
      return {
        network,
        name: names.name,
        domain: names.domain,
        machine: own,
        unanimous: isUnanimous,
        key: runtime.members.self,
        addresses: runtime.network.addresses,
      };
    });
  }

  invite({ domain, expiresMs }: { domain: string; expiresMs: number }): Promise<unknown> {
    return this.#life.alone(async () => {
      const { runtime } = await this.#life.required();
      const { members } = runtime;
      const own = members.state?.members.get(members.self)?.domain ?? "";
      const wanted = checkedName(domain, "domain") || own;
      if (members.state?.domains.has(wanted) === false) demand(members.issue({ kind: "domain", name: wanted }));
      const secret = randomBytes(16);
      const expiresAtMs = Date.now() + expiresMs;
      demand(members.issue({ kind: "invite", key: runtime.invitationKey(secret), domain: wanted, expiresAtMs }));
      const line = runtime.invitationLine(secret, INVITATION_HOSTS);
      return Promise.resolve({
        line,
        domain: wanted,
        fourth: runtime.wouldBeFourth(wanted),
        expiresAt: new Date(expiresAtMs).toISOString(),
        addresses: runtime.network.addresses,
      });
    });
  }

  join({ line, machine }: { line: string; machine: string }): Promise<unknown> {
    return this.#life.alone(async () => {
      await this.#life.refuseSecond();
      await this.#life.load();
      const { readInvitation } = await import("./network-runtime.ts");
      const invitation = await readInvitation(line);
      if (invitation === undefined) throw new CairnError("invitation-invalid");
      const identity = this.#identityFor(invitation.network, checkedName(machine, "machine") || nameFrom(hostname()));
      const { runtime } = await this.#life.start(identity);
      try {
        const request = runtime.requestToJoin(invitation, Buffer.from(identity.attestationSeed, "hex"), identity.name);
        const outcome = await runtime.network.join(invitation, request, AbortSignal.timeout(60_000));
        if (outcome.kind === "refused") throw new CairnError("network-refused", { why: outcome.reason });
        await this.#untilMember(runtime);
      } catch (error) {
        await this.#life.stop();
        // After a refusal these keys are of no use. Otherwise the answer may only have been lost, and they are needed to ask again.
        if (error instanceof CairnError && error.code === "network-refused") this.#life.home.remove();
        throw error;
      }
      const { state, self } = runtime.members;
      const me = state?.members.get(self);
      return {
        network: state?.network,
        name: state?.name,
        domain: me?.domain,
        machine: me?.name,
        key: self,
        members: runtime.members.others().length + 1,
      };
    });
  }

  members(): Promise<unknown> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.membersView());
  }

  async revoke({ member, force, withdraw }: { member: string; force: boolean; withdraw: boolean }): Promise<unknown> {
    const { runtime } = await this.#life.alone(() => this.#life.required()); // What domains agree on is waited for while others may ask.
    const { key, name } = runtime.called(member);
    if (key === runtime.members.self) throw new CairnError("network-refused", { why: "own-machine" });
    if (withdraw) return { withdrawn: name, key, waits: runtime.withdraw(key) ?? null };
    return { revoked: name, key, ...(await runtime.revoke(key, force)) };
  }

  policy({ directory }: { directory: string }): Promise<unknown> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.policyView(this.#projectAt(directory)));
  }

  /** The reader's tier for a project, and whose word that is; undefined while no network runs. */
  tierFor(project: ProjectPolicy): object | undefined {
    return this.#life.running?.runtime.tierFor(project);
  }

  #projectAt(directory: string): ProjectPolicy | undefined {
    return directory === "" ? undefined : this.#projectOf(`${directory}/.`);
  }

  async setPolicy({ setting, value }: { setting: string; value: string }): Promise<unknown> {
    const { runtime } = await this.#life.alone(() => this.#life.active()); // What others decide is waited for while others may ask.
    return { setting, value, ...(await runtime.changePolicy(setting, value)) };
  }

  async accept({ what }: { what: string }): Promise<unknown> {
    const { runtime } = await this.#life.alone(() => this.#life.active());
    return runtime.accept(what);
  }

  leave({ force }: { force: boolean }): Promise<unknown> {
    return this.#life.alone(async () => {
      // What cannot be read or started can still be thrown away, by somebody who says so.
      const running = force ? await this.#life.find().catch(() => undefined) : await this.#life.required();
      const members = running?.runtime.members;
      if (running !== undefined && members?.standing(members.self) === "active") {
        if (!force && members.others().length > 0 && running.runtime.isSoleAdmin)
          throw new CairnError("network-refused", { why: "last-admin" });
        demand(members.issue({ kind: "leave" }));
        members.decide();
      }
      await this.#life.leave();
      return { left: members?.state?.name ?? "" };
    });
  }

  peers(): Promise<unknown> {
    return this.#life.alone(async () => ({ ...(await (await this.#life.required()).runtime.peersView()), metrics: this.metrics() }));
  }

  /** @throws {CairnError} network-absent, or why the network does not start */
  doctor({ directory }: { directory: string }): Promise<unknown> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.doctorView(this.#projectAt(directory)));
  }

  async ping({ member }: { member: string }): Promise<unknown> {
    const { runtime } = await this.#life.alone(() => this.#life.active()); // The answer is waited for while others may ask.
    const { key, name } = presentMemberCalled(runtime.members.state, member);
    if (key === runtime.members.self) throw new CairnError("usage", { why: `${name} is this machine` });
    try {
      return { member: name, key, rttMs: await runtime.network.ping(key, PING_DEADLINE_MS) };
    } catch (error) {
      if (error instanceof CairnError) throw new CairnError(error.code, { member: name, ...error.facts }, error);
      throw error;
    }
  }

  async publishName({ name, root, expiresMs }: { name: string; root: string; expiresMs: number }): Promise<unknown> {
    const { parseCid } = await loadTreeCodec();
    const meant = isDigest(root) ? { digest: root, codec: "" as const } : parseCid(root);
    if (meant === undefined) throw new CairnError("usage", { why: `${root} is neither a CID nor 64 digits` });
    const names = await this.#life.alone(async () => (await this.#life.active()).runtime.names);
    return names.publish({ name: checkedName(name, "name"), root: meant.digest, codec: meant.codec, expiresMs });
  }

  /** @param claimed `above`: the number of a token that another machine has seen, 0 for none */
  claimName({ name, above }: { name: string; above: number }): Promise<unknown> {
    if (above >= limits.names.token) throw new CairnError("usage", { why: "no token has such a number" });
    return this.#giveName(name, ({ members }) => members.self, above);
  }

  handName({ name, member }: { name: string; member: string }): Promise<unknown> {
    return this.#giveName(name, ({ members }) => presentMemberCalled(members.state, member).key);
  }

  yieldName({ name }: { name: string }): Promise<unknown> {
    return this.#giveName(name, () => undefined);
  }

  async #giveName(name: string, ownerIn: (runtime: NetworkRuntime) => Key | undefined, above = 0): Promise<unknown> {
    const { runtime } = await this.#life.alone(() => this.#life.active()); // What others decide is waited for while others may ask.
    const owner = ownerIn(runtime);
    const done = await runtime.giveName(checkedName(name, "name"), owner, above);
    return { name, owner: owner === undefined ? null : runtime.member(owner).name, ...done };
  }

  claimedNames(): Promise<unknown> {
    return this.#life.alone(async () => ({ names: (await this.#life.required()).runtime.claimedNames() }));
  }

  resolveName({ name }: { name: string }): Promise<unknown> {
    return this.#life.alone(async () => (await this.#life.required()).runtime.names).then((names) => names.resolve(name));
  }

  /** What a name stands for; undefined where nobody can say. */
  async rootOf(name: string): Promise<NameRecord | undefined> {
    const found = this.#life.running === undefined ? undefined : await this.#life.running.runtime.names.find(name);
    return found?.kind === "found" ? found.record : undefined;
  }

  /** From now on, without a restart. */
  follow(placement: PlacementSettings, circle: WorkCircle): void {
    this.#life.follow(placement, circle);
  }

  /** Who decides where work is done; undefined while this node is in no network. */
  get placement(): (Placement & Slots) | undefined {
    return this.#life.running?.runtime.placement.placement;
  }

  /** What files and directories are fetched from; undefined while this node is in no network. */
  get trees(): TreeNetwork | undefined {
    return this.#life.running?.runtime.trees;
  }

  /** Members that are there and keep a copy of what is pinned here; undefined while this node is in no network. */
  copiesOf(root: Digest): number | undefined {
    return this.#life.running?.runtime.pinned.copies.holders(root);
  }

  /** What toolchains of members come from; undefined while this node is in no network. */
  get toolchains(): ToolchainNetwork | undefined {
    return this.#life.running?.runtime.toolchains;
  }

  tunnels(): Promise<TunnelControls> {
    return this.#life.alone(async () => (await this.#life.active()).runtime.tunnels);
  }

  /** Keys for joining: those of an attempt at the same network whose answer was lost, or new ones. */
  #identityFor(network: string, name: string): SavedIdentity {
    const before = this.#life.home.identity();
    if (before?.network === network) return before;
    this.#life.home.remove();
    const identity = savedIdentity(network, name, newSeeds());
    this.#life.home.save(identity);
    return identity;
  }

  async #untilMember({ members }: NetworkRuntime): Promise<void> {
    const deadline = AbortSignal.timeout(SYNC_DEADLINE_MS);
    while (members.standing(members.self) === "unknown") {
      if (deadline.aborted) throw new CairnError("peer-silent", { waitedMs: SYNC_DEADLINE_MS });
      await pause(POLL_MS);
    }
  }
}

function demand(issued: { readonly kind: "issued" } | { readonly kind: "refused"; readonly why: string }): void {
  if (issued.kind === "refused") throw new CairnError("network-refused", { why: issued.why });
}

/** @throws {CairnError} usage when there is a name, and it cannot be one */
function checkedName(text: string, what: string): string {
  if (text !== "" && !isName(text))
    throw new CairnError("usage", { why: `a ${what} is made of lower-case letters, digits and hyphens, 63 at most: ${text}` });
  return text;
}

function newSeeds(): { peerSeed: Buffer; attestationSeed: Buffer } {
  return { peerSeed: randomBytes(32), attestationSeed: randomBytes(32) };
}

function savedIdentity(network: string, name: string, seeds: { peerSeed: Buffer; attestationSeed: Buffer }): SavedIdentity {
  return { network, name, peerSeed: seeds.peerSeed.toString("hex"), attestationSeed: seeds.attestationSeed.toString("hex") };
}

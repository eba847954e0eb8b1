/**
 * Hostile domains of the simulation of agreement. They know each other's keys and hear what any of them hears.
 *
 * Knows: what would deceive whom. Does not know: who has decided what.
 */
import { type AgreementFrame, type Certificate, type Digest, digestOf, type Said, type Vote } from "../../src/base/index.ts";
import { type AgreementRound, quorumOf } from "../../src/trust/index.ts";
import type { AgreementWorld } from "./agreement.ts";

/**
 * `silent` says nothing. `equivocate` says one thing to one half and another to the other, and agrees with everything to some. `replay` says
 * again what others said, sooner or later. `forge` changes what others signed, and makes certificates of too little. `half` does as it should,
 * to a half. `late` does, too, when it is nearly too late.
 */
const WAYS = ["silent", "equivocate", "replay", "forge", "half", "late"] as const;
export type Way = (typeof WAYS)[number];

const EVERY_MS = 40;
const REMEMBERED = 64;
const LATE_MS = 300;
/** What is to deceive must arrive. */
const LEAD_TIMES = 3;
const NO_SIGNATURE = new Uint8Array(64);

export class Liars {
  readonly #world: AgreementWorld;
  readonly #ways: ReadonlyMap<number, Way>;
  readonly #honest: readonly number[];
  /** Each equivocator tells these one thing, and the rest another. */
  readonly #half: ReadonlySet<number>;
  readonly #heard: AgreementFrame[] = [];
  readonly #done = new Set<string>();
  readonly #rounds = new Map<number, AgreementRound>();

  constructor(world: AgreementWorld, hostile: readonly number[], honest: readonly number[]) {
    this.#world = world;
    const { chance } = world;
    // All of one kind in some seeds: that is when they are strongest.
    const one = world.settings.way ?? (chance.percent(50) ? chance.pick(WAYS) : undefined);
    this.#ways = new Map(hostile.map((domain) => [domain, one ?? chance.pick(WAYS)]));
    this.#honest = honest;
    this.#half = new Set(honest.filter(() => chance.percent(50)));
    for (const [domain, way] of this.#ways)
      if (way === "half" || way === "late")
        this.#rounds.set(domain, world.makeRound(domain, Buffer.from(`valid of ${domain}, who lies, ${world.settings.seed}`)));
  }

  begin(): void {
    const { clock } = this.#world;
    const tick = (): void => {
      for (const [domain, way] of this.#ways) this.#act(domain, way);
      clock.after(EVERY_MS, tick);
    };
    this.#lead(1);
    clock.after(EVERY_MS, tick);
  }

  hear(domain: number, frame: AgreementFrame): void {
    const { chance, clock } = this.#world;
    if (this.#heard.length < REMEMBERED) this.#heard.push(frame);
    else this.#heard[chance.below(REMEMBERED)] = frame;
    if (this.#ways.get(domain) === "equivocate") this.#agreeWithAll(frame);
    const round = this.#rounds.get(domain);
    const news = round?.hear(frame, clock.now);
    if (news?.toAll !== undefined) this.#tellHalf(domain, news.toAll);
  }

  #act(domain: number, way: Way): void {
    const { chance, clock, previous } = this.#world;
    const frame = this.#heard.length === 0 ? undefined : chance.pick(this.#heard);
    if (way === "replay" && frame !== undefined) for (const to of this.#honest) if (chance.percent(20)) this.#world.send(domain, to, frame);
    if (way === "forge" && frame !== undefined) {
      const forged = { previous, from: 1, votes: this.#forgedVotes(domain, frame), certificates: this.#forgedCertificates(frame) };
      for (const to of this.#honest) if (chance.percent(30)) this.#world.send(domain, to, { ...forged, values: frame.values, wants: [] });
    }
    const news = this.#rounds.get(domain)?.tick(clock.now);
    if (news?.toAll !== undefined) this.#tellHalf(domain, news.toAll);
  }

  #tellHalf(domain: number, frame: AgreementFrame): void {
    const { clock } = this.#world;
    const tell = (): void => {
      for (const to of this.#honest) if (this.#ways.get(domain) === "late" || this.#half.has(to)) this.#world.send(domain, to, frame);
    };
    if (this.#ways.get(domain) === "late") clock.after(LATE_MS, tell);
    else tell();
  }

  /** Whatever somebody wants, all equivocators want it, too, as far as some hear; and the opposite, as far as others do. */
  #agreeWithAll({ votes, certificates }: AgreementFrame): void {
    const { chance } = this.#world;
    for (const { view, value } of [...votes, ...certificates]) {
      this.#lead(view);
      this.#lead(view + 1);
      const key = `${view} ${value}`;
      if (this.#done.has(key)) continue;
      this.#done.add(key);
      for (const liar of this.#of("equivocate")) {
        const kinds = value === "" ? (["nullify"] as const) : (["notarize", "finalize", "nullify"] as const);
        for (const kind of kinds) {
          const vote = this.#signed(liar, { kind, view, value: kind === "nullify" ? "" : value });
          for (const to of this.#honest) if (chance.percent(50)) this.#world.send(liar, to, this.#saying([vote]));
        }
      }
    }
  }

  /** An equivocator whose turn it is proposes one thing to a half and another to the other; its friends vote for both. */
  #lead(view: number): void {
    const { settings } = this.#world;
    const leader = (view - 1) % settings.domains;
    if (this.#ways.get(leader) !== "equivocate" || this.#done.has(`lead ${view}`)) return;
    this.#done.add(`lead ${view}`);
    for (const [isHalf, name] of [
      [true, "valid, one"],
      [false, this.#world.chance.percent(50) ? "valid, another" : "not to be decided"],
    ] as const) {
      const bytes = Buffer.from(`${name}, ${view}, ${settings.seed}`);
      const value: Digest = digestOf(bytes);
      const liars = [leader, ...this.#of("equivocate").filter((one) => one !== leader)];
      const votes = liars.flatMap((liar) => [
        this.#signed(liar, { kind: "notarize", view, value }),
        this.#signed(liar, { kind: "finalize", view, value }),
      ]);
      const frame = { ...this.#saying(votes), values: [bytes] };
      const tell = (): void => {
        for (const to of this.#honest) if (this.#half.has(to) === isHalf) this.#world.send(leader, to, frame);
      };
      for (let time = 0; time < LEAD_TIMES; time++) this.#world.clock.after(time * EVERY_MS, tell);
    }
  }

  #forgedVotes(domain: number, { votes }: AgreementFrame): Vote[] {
    const { chance, settings } = this.#world;
    return votes.map((vote) => {
      const other: Vote = votes.length === 0 ? vote : chance.pick(votes);
      const changes: readonly Partial<Vote>[] = [
        { value: digestOf("something else") },
        { view: vote.view + 1 },
        { view: Math.max(1, vote.view - 1) },
        { domain: chance.below(settings.domains) },
        { kind: vote.kind === "notarize" ? "finalize" : "notarize" },
        { signature: other.signature },
        { signature: NO_SIGNATURE },
        { domain: settings.domains + 1 },
        { domain, signature: vote.signature },
      ];
      return { ...vote, ...chance.pick(changes) };
    });
  }

  /** Of too few, of one who is counted twice, or of votes for something else. */
  #forgedCertificates({ votes, certificates }: AgreementFrame): Certificate[] {
    const quorum = quorumOf(this.#world.settings.domains);
    const few = votes.slice(0, 1).map(({ kind, view, value }) => {
      const same = votes.filter((one) => one.kind === kind && one.view === view && one.value === value);
      return { kind, view, value, votes: Array.from({ length: quorum }, (_, i) => same[i % same.length] ?? []).flat() };
    });
    const turned = certificates.map((one) => ({ ...one, kind: one.kind === "notarize" ? ("finalize" as const) : ("notarize" as const) }));
    const later = certificates.map((one) => ({ ...one, view: one.view + 1 }));
    const other = certificates.map((one) => ({ ...one, value: digestOf("something else") }));
    const short = certificates.map((one) => ({ ...one, votes: one.votes.slice(0, quorum - 1) }));
    return [...few, ...turned, ...later, ...other, ...short];
  }

  #of(way: Way): number[] {
    return [...this.#ways].flatMap(([domain, one]) => (one === way ? [domain] : []));
  }

  #signed(domain: number, said: Said): Vote {
    return { ...said, domain, signature: this.#world.signer.sign(domain, said) };
  }

  #saying(votes: readonly Vote[]): AgreementFrame {
    return { previous: this.#world.previous, from: 0, votes, certificates: [], values: [], wants: [] };
  }
}

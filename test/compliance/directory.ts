/**
 * What every directory does: a suite that each implementation runs, in a world of members that tell, keep copies, come and go.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Digest, digestOf, type Key } from "../../src/base/index.ts";
import type { Directory } from "../../src/contracts/index.ts";
import { type Candidate, rendezvousOrder } from "../../src/net/rendezvous-hash.ts";

const COPIES = 3;

/** Members in memory. Whoever makes a result keeps it, and gives it to the members that it belongs to. */
export class DirectoryWorld {
  readonly members: Candidate[] = Array.from({ length: 8 }, (_, i) => ({ key: digestOf(`member ${i}`), domain: `d${i % 2}` }));
  readonly self: Key = digestOf("member 0");
  readonly copies: number = COPIES;
  /** Questions to members so far. */
  asked = 0;
  readonly #held = new Map<Key, Set<Digest>>(this.members.map(({ key }) => [key, new Set<Digest>()]));
  readonly #attested = new Set<Digest>();
  readonly #away = new Set<Key>();

  present(): Candidate[] {
    return this.members.filter(({ key }) => !this.#away.has(key));
  }

  isAttested(manifest: Digest): boolean {
    return this.#attested.has(manifest);
  }

  /** What members' summaries say. */
  whoHas(manifest: Digest): Key[] {
    return this.present().flatMap(({ key }) => (key !== this.self && this.#held.get(key)?.has(manifest) === true ? [key] : []));
  }

  make(by: Key, manifest: Digest): void {
    this.#attested.add(manifest);
    const belongs = rendezvousOrder(manifest, this.present()).slice(0, COPIES);
    for (const key of [by, ...belongs.map((one) => one.key)]) this.#held.get(key)?.add(manifest);
  }

  leave(key: Key): void {
    this.#away.add(key);
  }

  ask(key: Key, manifest: Digest): boolean {
    this.asked++;
    return !this.#away.has(key) && this.#held.get(key)?.has(manifest) === true;
  }
}

/** @param make a directory of the world's `self` */
export function directoryCompliance(name: string, make: (world: DirectoryWorld) => Directory): void {
  const signal = new AbortController().signal;
  const others = (world: DirectoryWorld): Key[] => world.members.slice(1).map(({ key }) => key);

  test(`${name}: what nobody has costs nobody a question`, async () => {
    const world = new DirectoryWorld();
    const directory = make(world);
    world.make(others(world)[0] ?? "", digestOf("made"));
    for (let i = 0; i < 50; i++) assert.deepEqual(await directory.find(digestOf(`never made ${i}`), signal), []);
    assert.equal(world.asked, 0);
  });

  test(`${name}: who is named has it, also when its maker is away; this node is not named`, async () => {
    for (let i = 0; i < 50; i++) {
      const world = new DirectoryWorld();
      const directory = make(world);
      const [maker = ""] = others(world).slice(i % 7);
      const manifest = digestOf(`made ${i}`);
      world.make(maker, manifest);
      assert.ok(await leads(world, directory, manifest), `${i}: while its maker is there`);
      world.leave(maker);
      const named = await directory.find(manifest, signal);
      assert.ok(!named.includes(maker) && !named.includes(world.self), `${i}`);
      assert.ok(await leads(world, directory, manifest), `${i}: when its maker has left`);
    }
  });

  test(`${name}: whoever does not wait any more gets no answer`, async () => {
    await assert.rejects(make(new DirectoryWorld()).find(digestOf("any"), AbortSignal.abort(new Error("gone"))), /gone/);
  });

  async function leads(world: DirectoryWorld, directory: Directory, manifest: Digest): Promise<boolean> {
    return (await directory.find(manifest, signal)).some((key) => world.ask(key, manifest));
  }
}

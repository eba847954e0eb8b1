import assert from "node:assert/strict";
import { test } from "node:test";
import { DirectoryWorld, directoryCompliance } from "../../test/compliance/directory.ts";
import { digestOf } from "../base/index.ts";
import { AskingDirectory, MeshDirectory, RendezvousDirectory } from "./directories.ts";
import { rendezvousOrder } from "./rendezvous-hash.ts";

directoryCompliance("mesh", (world) => new MeshDirectory({ whoHas: (manifest) => world.whoHas(manifest) }));

directoryCompliance(
  "overlay",
  (world) => new AskingDirectory({ inner: new MeshDirectory({ whoHas: (manifest) => world.whoHas(manifest) }), missed: () => undefined }),
);

test("what nobody is known to have is asked of the overlay, and nothing else", async () => {
  const missed: string[] = [];
  const inner = new MeshDirectory({ whoHas: (manifest) => (manifest === "known" ? ["m1"] : []) });
  const directory = new AskingDirectory({ inner, missed: (manifest) => void missed.push(manifest) });
  const { signal } = new AbortController();
  assert.deepEqual(await directory.find("known", signal), ["m1"]);
  assert.deepEqual(await directory.find("unknown", signal), []);
  assert.deepEqual(missed, ["unknown"]);
});

for (const [name, hears] of [
  ["rendezvous", true],
  // Summaries have bounds: what is above them is not told.
  ["rendezvous without summaries", false],
] as const)
  directoryCompliance(name, (world) => {
    const parts = {
      self: world.self,
      whoHas: (manifest: string): string[] => (hears ? world.whoHas(manifest) : []),
      isAttested: (manifest: string): boolean => world.isAttested(manifest),
      present: () => world.present(),
      call: () => true,
    };
    return new RendezvousDirectory(parts, { copies: world.copies });
  });

test("where results belong does not depend on links: who is linked is asked, who is not is called beside the request", async () => {
  const world = new DirectoryWorld();
  const manifest = digestOf("made elsewhere");
  const belongs = rendezvousOrder(manifest, world.present()).slice(0, world.copies);
  const [first, ...others] = belongs.map(({ key }) => key).filter((key) => key !== world.self);
  assert.ok(first !== undefined && others.length > 0);
  const called: string[] = [];
  const call = (key: string): boolean => key === first || called.push(key) === 0;
  const parts = { self: world.self, whoHas: () => [], isAttested: () => true, present: () => world.present(), call };
  const directory = new RendezvousDirectory(parts, { copies: world.copies });
  assert.deepEqual(await directory.find(manifest, new AbortController().signal), [first]);
  assert.deepEqual(called, others);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { directoryCompliance } from "../../test/compliance/directory.ts";
import { AskingDirectory, MeshDirectory, RendezvousDirectory } from "./directories.ts";

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
    };
    return new RendezvousDirectory(parts, { copies: world.copies });
  });

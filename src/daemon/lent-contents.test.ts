import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../base/index.ts";
import { LentContents } from "./lent-contents.ts";

async function all(paths: AsyncIterable<string>): Promise<string[]> {
  const list: string[] = [];
  for await (const path of paths) list.push(path);
  return list;
}

test("places of a content: what was lent last first, then the store, and nothing that was taken back", async () => {
  const stored = digestOf("stored");
  const store = {
    read: () => Promise.resolve({ kind: "miss" } as const),
    place: (digest: string) => Promise.resolve(digest === stored ? "/store/blob" : undefined),
  };
  const lent = new LentContents({ store });
  const [one, two] = [lent.lend([[stored, "/one"]]), lent.lend([[stored, "/two"]])];
  assert.deepEqual(await all(lent.places(stored)), ["/two", "/one", "/store/blob"]);
  two[Symbol.dispose]();
  assert.deepEqual(await all(lent.places(stored)), ["/one", "/store/blob"]);
  one[Symbol.dispose]();
  assert.deepEqual(await all(lent.places(stored)), ["/store/blob"]);
  assert.deepEqual(await all(lent.places(digestOf("nowhere"))), []);
});

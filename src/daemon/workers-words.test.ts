import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf, type Key, silentLog } from "../base/index.ts";
import { WorkersWords } from "./workers-words.ts";

const MANY = Array.from({ length: 150 }, (_, at) => digestOf(`work ${at}`)).toSorted();

/** Works of members, in memory. */
function works(of: ReadonlyMap<string, Key>) {
  const all = new Map(of);
  return {
    all,
    memberOf: (action: string): Key | undefined => all.get(action),
    members: (): Key[] => [...new Set(all.values())],
    of: (member: Key, after: string, most: number): string[] =>
      [...all]
        .flatMap(([action, by]) => (by === member && action > after ? [action] : []))
        .toSorted()
        .slice(0, most),
    delete: (action: string): void => void all.delete(action),
  };
}

test("with whose word does not count any more all goes that rests on it alone, and nothing else", async (t) => {
  const [believed] = MANY;
  const other = digestOf("of another");
  const kept = works(new Map([...MANY.map((action) => [action, "liar"] as const), [other, "honest"]]));
  const [forgotten, marked] = [[] as string[], [] as string[]];
  const words: WorkersWords = new WorkersWords({
    works: kept,
    recalls: {
      begin: (kind, [member = ""]) => void marked.push(`${kind} ${member} begun after ${forgotten.length}`),
      takeBack: (action) => void forgotten.push(action),
      end: (kind, [member = ""]) => void marked.push(`${kind} ${member} ended after ${forgotten.length}`),
    },
    isBelieved: (action) => action === believed,
    wordOf: (member) => (words.isRefuted(member) ? undefined : {}),
    log: silentLog,
  });
  await words.recall(t.signal);
  assert.deepEqual([forgotten, kept.all.size], [[], MANY.length + 1]);
  words.refute("liar");
  assert.deepEqual([words.isRefuted("liar"), words.isRefuted("honest")], [true, false]);
  await words.recall(t.signal);
  assert.deepEqual(forgotten, MANY.slice(1), "what enough others have signed stays, and rests on them now");
  assert.deepEqual(marked, ["member liar begun after 0", `member liar ended after ${MANY.length - 1}`]);
  assert.deepEqual([...kept.all.keys()], [other]);
});

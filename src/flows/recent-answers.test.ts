import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { limits, silentLog } from "../base/index.ts";
import { FileTable, openDatabase } from "../store/index.ts";
import { Absences, Glance, Look } from "./look.ts";
import { RecentAnswers } from "./recent-answers.ts";

const KEY = "0".repeat(64);

/** What is done to a project, and whether the answer still holds then. */
const cases: readonly (readonly [what: string, holds: boolean, change: (root: string) => void])[] = [
  ["nothing", true, () => undefined],
  ["an input is written again", false, (root) => writeFileSync(join(root, "a.h"), "int a;")],
  ["an input is touched", false, (root) => utimesSync(join(root, "a.h"), 1, 1)],
  ["an input is gone", false, (root) => rmSync(join(root, "a.h"))],
  ["a name that was missing appears", false, (root) => writeFileSync(join(root, "first/a.h"), "")],
  ["another name appears beside it", true, (root) => writeFileSync(join(root, "first/b.h"), "")],
  ["the directory in which it was missing goes", true, (root) => rmSync(join(root, "first"), { recursive: true })],
  ["anything appears where names are not listed", false, (root) => writeFileSync(join(root, "left-alone/b.h"), "")],
  ["a missing directory appears, empty", true, (root) => mkdirSync(join(root, "none"))],
  [
    "a missing directory appears with the name in it",
    false,
    (root) => {
      mkdirSync(join(root, "none"));
      writeFileSync(join(root, "none/a.h"), "");
    },
  ],
];

for (const [what, holds, change] of cases) {
  test(`an answer is given again only while all is as it was: ${what}`, async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "cairn-again-")));
    try {
      using database = openDatabase({ log: silentLog, now: Date.now }, { file: join(root, "index.db") });
      const files = new FileTable({ database, now: Date.now });
      const absences = new Absences();
      const look = (): Look => new Look(new Glance({ files, absences }), root);
      mkdirSync(join(root, "first"));
      mkdirSync(join(root, "left-alone"));
      writeFileSync(join(root, "a.h"), "int a;");
      await sleep(2 * limits.racyWindowMs);
      const state = files.state(join(root, "a.h"));
      assert.ok(state.kind === "file");
      const validity = {
        inputs: [{ path: "a.h", ...state.fingerprint }],
        absences: [
          { directory: join(root, "first"), ...(files.fingerprint(join(root, "first")) ?? assert.fail()), names: ["a.h"] },
          { directory: root, fp0: 0, fp1: 0, names: ["none/a.h"] },
          { directory: join(root, "left-alone"), ...(files.fingerprint(join(root, "left-alone")) ?? assert.fail()), names: undefined },
        ],
      };
      const placement = { outputs: [], stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), compileMs: 1 };
      const answers = new RecentAnswers();
      answers.remember(KEY, { manifest: KEY, action: KEY, placement, validity, isChecked: true, source: "a.c", body: "{}" });
      assert.ok(answers.find(KEY, look()));
      change(root);
      await sleep(2 * limits.racyWindowMs);
      assert.equal(answers.find(KEY, look()) !== undefined, holds);
      assert.equal(answers.find("1".repeat(64), look()), undefined);
    } finally {
      rmSync(root, { recursive: true });
    }
  });
}

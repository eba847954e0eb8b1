import assert from "node:assert/strict";
import { test } from "node:test";
import { checkStore, type StoreFindings } from "./store-doctor.ts";

const WELL: StoreFindings = {
  inspected: { blobs: 9, bytes: 90, ofBlobs: 9, ofBytes: 90, damaged: 0 },
  met: 0,
  pins: { pins: 0, missing: [], isAsked: false, mended: [] },
  movedAside: [],
};

test("what was found in the store is told, and what to do", () => {
  const rows: [findings: Partial<StoreFindings>, ok: boolean, told: RegExp][] = [
    [{}, true, /all 9 blobs are as they should be/],
    [{ inspected: { ...WELL.inspected, ofBlobs: 100 } }, true, /9 of 100 blobs were read/],
    [{ inspected: { ...WELL.inspected, damaged: 2 } }, false, /2 of the 9 blobs .*removed(?!.*--store)/],
    [{ inspected: { ...WELL.inspected, damaged: 2, ofBlobs: 100 } }, false, /2 of the 9 .*--store/],
    [{ movedAside: ["/h/cache/index.db.bad-7"] }, true, /index began anew.* rm \/h\/cache\/index\.db\.bad-7/],
    [{ movedAside: ["/h/my cache/index.db.bad-7"] }, true, /rm '\/h\/my cache\/index\.db\.bad-7' /],
    [{ met: 3 }, false, /3 damaged ones have been met.*--store/],
    [{ pins: { pins: 2, missing: [], isAsked: true, mended: ["dist"] } }, true, /all 2 are whole here; members gave dist again/],
    [
      { pins: { pins: 9, missing: ["a", "b", "c", "d", "e", "f"], isAsked: false, mended: [] } },
      false,
      /6 of 9 .*a, b, c, d, e, ….*--store.*unpin/,
    ],
    [{ pins: { pins: 9, missing: ["a"], isAsked: true, mended: [] } }, false, /1 of 9 .*no member has them(?!.*--store)/],
  ];
  for (const [findings, ok, told] of rows) {
    const checks = checkStore({ ...WELL, ...findings });
    assert.equal(
      checks.every((check) => check.ok),
      ok,
      String(told),
    );
    assert.match(checks.map(({ check, detail, advice }) => `${check} ${detail} ${advice ?? ""}`).join("\n"), told);
  }
});

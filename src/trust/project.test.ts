import assert from "node:assert/strict";
import { test } from "node:test";
import type { SharingPolicy } from "../base/index.ts";
import { readProjectFile } from "./project.ts";

const TABLE: readonly (readonly [text: string | undefined, sharing: SharingPolicy | undefined, trouble: RegExp])[] = [
  ['{"sharing": "release"}', "release", /^$/],
  ['{"sharing": "speculative"}', "speculative", /^$/],
  ['{"sharing": "self"}', "self", /^$/],
  ["{}", undefined, /^$/],
  // Whatever cannot be understood may have meant the strictest.
  [undefined, "self", /cannot be read/],
  ["", "self", /no JSON/],
  ["sharing: release", "self", /no JSON/],
  ['{"sharing": "lax"}', "self", /speculative, team, release or self/],
  ['{"sharing": null}', "self", /speculative, team, release or self/],
  ['{"sharing": ["release"]}', "self", /speculative, team, release or self/],
  ['{"sharing": "team", "shares": "release"}', "self", /no setting shares/],
  ['["release"]', "self", /no object/],
  ['"release"', "self", /no object/],
  ["null", "self", /no object/],
];

for (const [text, sharing, trouble] of TABLE)
  test(`a project that says ${text ?? "what cannot be read"} demands ${sharing ?? "nothing"}`, () => {
    const demand = readProjectFile(text);
    assert.equal(demand.sharing, sharing);
    assert.match(demand.trouble, trouble);
  });

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "./digest.ts";
import { entryHash } from "./entry-hash.ts";

/** As members write it, in every version: what is signed and what lies on shelves is a digest of it. */
const TEXT = String.raw`["a1",null,false,null,[["\u0000P/a.h","e5"],["\u0000C/ä.c","f6"]],["\u0000C/a.h"]]`;
/** Its SHA-256. */
const DIGEST = "75302aeb32e27b36c2143b2c24b54c3037e099c817f60b08a2f69900313f0893";

test("the text of an entry stays as it is, and going on from it changes it for nobody else", () => {
  const inputs = [
    { path: "\0P/a.h", digest: "e5" },
    { path: "\0C/ä.c", digest: "f6" },
  ];
  const entry = { action: "a1", place: undefined, presumed: false, terminal: undefined, inputs, absent: ["\0C/a.h"] };
  assert.equal(digestOf(TEXT), DIGEST);
  entryHash(entry).update("of somebody else");
  for (let i = 0; i < 2; i++) assert.equal(entryHash(entry).update("]").digest("hex"), DIGEST);
});

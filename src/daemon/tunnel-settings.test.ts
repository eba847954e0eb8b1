import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseEndpoint, readExposures, readForwards } from "./tunnel-settings.ts";

test("addresses as people write them", () => {
  const rows: [text: string, host: string | undefined, port?: number][] = [
    ["80", "127.0.0.1", 80],
    [" 65535 ", "127.0.0.1", 65_535],
    ["0.0.0.0:8080", "0.0.0.0", 8_080],
    ["printer.lan:631", "printer.lan", 631],
    ["[::1]:22", "::1", 22],
    ["0", undefined],
    ["65536", undefined],
    ["::1:22", undefined],
    ["host:", undefined],
    [":80", undefined],
    ["a b:80", undefined],
    ["", undefined],
    [`${"x".repeat(254)}:80`, undefined],
  ];
  for (const [text, host, port] of rows) assert.deepEqual(parseEndpoint(text, 1), host === undefined ? undefined : { host, port }, text);
  assert.deepEqual(parseEndpoint("0", 0), { host: "127.0.0.1", port: 0 });
});

test("what is kept reads as it was; what does not read is left out", () => {
  const exposures = [
    { name: "web", host: "127.0.0.1", port: 80, to: [{ kind: "all" }, { kind: "domain", domain: "home" }, { kind: "member", key: "ab" }] },
  ];
  const forwards = [{ host: "127.0.0.1", port: 8_080, member: "ab", service: "web" }];
  assert.deepEqual(readExposures(JSON.stringify(exposures)), exposures);
  assert.deepEqual(readForwards(JSON.stringify(forwards)), forwards);
  assert.deepEqual(readExposures(JSON.stringify([{ ...exposures[0], to: [{ kind: "everybody" }] }])), [{ ...exposures[0], to: [] }]);
  for (const text of [undefined, "", "{", "null", "[1]", '[{"name":1}]'])
    assert.deepEqual([readExposures(text), readForwards(text)], [[], []]);
});

test("whatever is kept, reading it never throws", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      readExposures(text);
      readForwards(text);
    }),
  );
});

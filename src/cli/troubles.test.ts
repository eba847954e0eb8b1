import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "../base/index.ts";
import { explainTrouble } from "./troubles.ts";

test("refusals of the network say what happened and what to do", () => {
  const rows: [error: CairnError, what: RegExp, advice: RegExp, exitCode: number][] = [
    [new CairnError("network-absent"), /belongs to no network/, /cairn init/, 1],
    [new CairnError("network-present", { name: "acme" }), /network acme already/, /cairn leave/, 1],
    [new CairnError("network-refused", { why: "invitation-used" }), /used already/, /cairn invite/, 1],
    [new CairnError("network-refused", { why: "chair-lost", members: "ci lab" }), /nobody would speak/, /on ci or lab, .*\n--force/, 1],
    [
      new CairnError("network-refused", { why: "chair-lost", members: "ci", doubted: true }),
      /nobody would speak/,
      /^--force.*\n.*on ci, /,
      1,
    ],
    [new CairnError("network-refused", { why: "chair-lost", members: "" }), /nobody would speak/, /no other machine.*\n--force/, 1],
    [new CairnError("network-refused", { why: "something-new" }), /refused: something-new/, /^$/, 1],
    [new CairnError("invitation-invalid"), /no invitation/, /cairn1-/, 1],
    [new CairnError("member-unknown", { member: "x", matches: 0 }), /nobody here is called x/, /cairn members/, 1],
    [new CairnError("member-unknown", { member: "x", matches: 2 }), /more than one member/, /cairn members/, 1],
    [new CairnError("peer-absent", { member: "ci", why: "ECONNREFUSED" }), /ci is not connected: ECONNREFUSED/, /cairn peers/, 1],
    [new CairnError("peer-silent", { member: "ci", waitedMs: 5_000 }), /ci did not answer within 5\.0 s/, /cairn peers/, 1],
    [new CairnError("peer-unreachable", { hosts: 2, why: "timeout" }), /can be reached: timeout/, /used again/, 1],
    [
      new CairnError("network-unavailable", { addresses: "/ip4/1.2.3.4/tcp/5", why: "EADDRINUSE" }),
      /: something else listens there/,
      /network\.listen/,
      1,
    ],
    [new CairnError("config-invalid", { where: "/h/c.toml", line: 3, want: "TOML" }), /c\.toml, line 3: not TOML/, /^mend that line/, 1],
    [new CairnError("config-invalid", { where: "/h/c.toml", name: "x", value: "y" }), /c\.toml: x = y/, /^cairn config set/, 1],
    [
      new CairnError("config-invalid", { where: "/h/c.toml", want: "a readable file" }),
      /c\.toml: not a readable file/,
      /^make it readable/,
      1,
    ],
    [
      new CairnError("daemon-absent", { why: "EACCES", socket: "/h/s" }),
      /\/h\/s belongs to somebody else/,
      /^choose a home of your own/,
      3,
    ],
    [new CairnError("network-damaged", { path: "/s/network.db" }), /\/s\/network\.db/, /cairn leave --force/, 1],
  ];
  for (const [error, what, advice, exitCode] of rows) {
    const trouble = explainTrouble(error);
    assert.match(trouble.what, what);
    assert.match(trouble.advice.join("\n"), advice);
    assert.equal(trouble.exitCode, exitCode);
  }
});

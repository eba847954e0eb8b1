/**
 * What `cairn status` tells of what members may have: only data, from what a daemon answers to the lines that a person reads.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readSharedWork } from "./answers.ts";
import { shareLines } from "./share-commands.ts";
import { openTerminal } from "./terminal.ts";

const { paint } = openTerminal({ write: () => undefined }, { write: () => undefined }, {});
const TURNS = "members take turns, and have all that nobody else wants";

const CASES: readonly (readonly [about: string, answer: object, lines: readonly string[]])[] = [
  [
    "nothing is bound",
    {},
    [
      "100% of this machine: 8 compiles at once where its owner builds nothing",
      "on mains power, beside its owner's builds, at any hour",
      TURNS,
    ],
  ],
  [
    "members are bound",
    { percent: 50, most: 4, power: "any", when: "idle", hours: "22-6", member: { percent: 25, secondsPerMinute: 60, when: "wanted" } },
    [
      "50% of this machine: 4 compiles at once where its owner builds nothing",
      "on its battery, too, while its owner does not build, from 22 to 6 o'clock",
      "a member has 25% of it at once and 60 seconds of compiles a minute at most, and more compiles while nobody else waits",
    ],
  ],
  [
    "nothing is done now, and why",
    { declined: "in-use", when: "idle" },
    [
      "nothing now: its owner has compiled through Cairn in the last 5 minutes",
      "100% of this machine: 8 compiles at once where its owner builds nothing",
      "on mains power, while its owner does not build, at any hour",
      TURNS,
    ],
  ],
  [
    "nothing is shared",
    { declined: "off", percent: 0, most: 0 },
    ["nothing: cairn share on", "on mains power, beside its owner's builds, at any hour", TURNS],
  ],
  [
    "commands and actions run here as well",
    { commands: true, actionsAs: "debian-12", member: { percent: 100, secondsPerMinute: 60, when: "always" } },
    [
      "100% of this machine: 8 compiles at once where its owner builds nothing",
      "on mains power, beside its owner's builds, at any hour",
      "a member has 60 seconds of compiles a minute at most",
      "commands: any that machines of yours run by cairn exec, where they have the same installed",
      "actions: any program of build tools, for machines of yours that are called debian-12, too",
    ],
  ],
  [
    "it cannot",
    { declined: "lack", lack: "bwrap is missing", advice: "install bubblewrap", most: 0 },
    [
      "nothing, for lack of a sandbox: bwrap is missing; it still uses what others make",
      "to do: install bubblewrap",
      "on mains power, beside its owner's builds, at any hour",
      TURNS,
    ],
  ],
  ["a daemon that does not say", { hours: undefined }, []],
];

for (const [about, answer, lines] of CASES)
  test(about, () => {
    const usual = { percent: 100, most: 8, power: "mains", when: "always", hours: "all", member: { percent: 100, secondsPerMinute: 0 } };
    assert.deepEqual(shareLines(readSharedWork({ ...usual, ...answer }), paint), lines);
  });

for (const [declined, line] of [
  ["off", "nothing: cairn share on"],
  ["battery", "nothing now: it runs on its battery"],
  ["hours", "nothing at this hour"],
  ["just-started", "nothing yet: it has just started, and waits 5 minutes to see whether its owner compiles"],
  ["own-compiles", "nothing now: its owner's compiles take all of it"],
  ["lack", "nothing, for lack of a sandbox: bwrap is missing; it still uses what others make"],
] as const)
  test(`declined: ${declined}`, () => {
    const [first] = shareLines(readSharedWork({ hours: "all", declined, lack: "bwrap is missing" }), paint);
    assert.equal(first, line);
  });

for (const [withheld, lack, line] of [
  ["hours", "", "nothing at this hour"],
  ["hours", "bwrap is missing", "nothing, for lack of a sandbox: bwrap is missing; it still uses what others make"],
] as const)
  test(`a daemon of the version before: ${line}`, () => {
    const [first] = shareLines(readSharedWork({ hours: "all", withheld, lack }), paint);
    assert.equal(first, line);
  });

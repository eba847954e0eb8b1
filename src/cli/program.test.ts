import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { homeFrom } from "../base/index.ts";
import type { Context } from "./context.ts";
import { ControlClient } from "./control.ts";
import { runProgram } from "./program.ts";
import { openTerminal, type Stream } from "./terminal.ts";

const STATUS = {
  pid: 4242,
  version: "1.2.3",
  home: "/h",
  uptimeMs: 11_100_000,
  rssBytes: 61_000_000,
  socket: "/h/run/cairn.sock",
  store: { bytes: 1_288_490_189, blobs: 12_345, capacityBytes: 21_474_836_480 },
  index: { manifests: 3_400, databaseBytes: 4_194_304 },
  jobs: { running: 2 },
  hot: { records: 2_100, bytes: 12_582_912 },
};
const COUNTERS = {
  hit_local: 100,
  hit_daemon: 10,
  hit_equivalent: 2,
  miss: 4,
  "pass:called_for_link": 2,
  "not_stored:input_modified_during_compile": 1,
  saved_ms: 72_000,
  compile_ms: 3_000,
  stored_bytes: 1_048_576,
};
const RECORD = {
  source: "/p/a.c",
  at: "2026-01-02T03:04:05.000Z",
  outcome: "miss",
  compiler: "gcc 12.2.0",
  durationMs: 340,
  differences: [
    { kind: "option", name: "-O3", before: "-O2", after: "-O3" },
    { kind: "option", name: "-g", after: "-g" },
    { kind: "input", name: "include/a.h" },
    { kind: "appeared", name: "first/b.h" },
  ],
  inputs: 17,
  outputs: ["a.o", "a.d"],
};
const CONFIG = {
  values: [
    { name: "store.capacity", value: 21_474_836_480, origin: "default" },
    { name: "log.level", value: "warn", origin: "CAIRN_LOG_LEVEL" },
  ],
};

const KEY = "3f9ac2".padEnd(64, "0");
const MEMBERS = {
  network: KEY,
  name: "acme",
  epoch: 3,
  members: [
    {
      name: "laptop",
      domain: "home",
      key: KEY,
      standing: "active",
      admin: true,
      self: true,
      connected: false,
      provisional: false,
      invitedBy: null,
    },
    {
      name: "ci",
      domain: "ci",
      key: KEY,
      standing: "active",
      admin: false,
      self: false,
      connected: true,
      provisional: true,
      invitedBy: "laptop",
    },
    {
      name: "old",
      domain: "home",
      key: KEY,
      standing: "revoked",
      admin: false,
      self: false,
      connected: false,
      provisional: false,
      invitedBy: "ci",
    },
  ],
  invitations: [{ inviter: "laptop", domain: "home", expiresAt: "2001-01-01T00:00:00.000Z" }],
};
const PEERS = {
  addresses: ["/ip4/192.0.2.1/tcp/4711"],
  standing: "active",
  peers: [
    {
      name: "ci",
      domain: "ci",
      key: KEY,
      state: "connected",
      address: "/ip4/192.0.2.2/tcp/4711",
      path: "direct",
      direction: "inbound",
      connectedMs: 72_000,
      sharing: { leftAloneMs: 30_000 },
      rttMs: 1.25,
      bytesIn: 2048,
      bytesOut: 1024,
      data: { open: 0, total: 2, bytesIn: 1_048_576, bytesOut: 1024, path: "tls" },
    },
    { name: "old", domain: "home", key: KEY, state: "unreachable", address: null, failures: 3, why: "no address known" },
  ],
};

type Answers = Readonly<Record<string, unknown>>;
const ANSWERS: Answers = {
  "GET /status": STATUS,
  "GET /stats": { counters: COUNTERS },
  "POST /stats/zero": {},
  "GET /explain?file=%2Fp%2Fa.c": { found: true, record: RECORD },
  "GET /explain?file=%2Fp%2Fb.c": { found: false },
  "GET /explain?file=%2Fp%2Fc.c": {
    found: true,
    record: { ...RECORD, refused: { name: "pc", signer: "ab", why: "too-few-domains", domains: 1, needed: 2 } },
  },
  "GET /explain?file=%2Fp%2Fd.c": { found: true, record: { ...RECORD, outcome: "compiler_failed", differences: [], inputs: 0 } },
  "POST /gc": { removed: 3, freedBytes: 2_097_152, bytes: 1_048_576 },
  "GET /doctor": [{ check: "index", ok: false, detail: "is damaged", advice: "cairn gc --all" }],
  "POST /doctor/store": { done: [{ check: "store", ok: true, detail: "all 9 blobs are as they should be" }] },
  "GET /config": CONFIG,
  "POST /stop": {},
  "POST /network/init": { network: KEY, name: "acme", domain: "home", machine: "laptop", key: KEY, addresses: [] },
  "POST /network/invite": { line: "cairn1-abc", domain: "home", expiresAt: "2030-01-01T00:00:00.000Z", addresses: [] },
  "POST /network/join": { network: KEY, name: "acme", domain: "home", machine: "desktop", key: KEY, members: 3 },
  "GET /network/members": MEMBERS,
  "GET /network/peers": PEERS,
  "POST /network/revoke": { revoked: "ci", key: KEY, decided: true },
  "POST /network/leave": { left: "acme" },
  "POST /network/ping": { member: "ci", key: KEY, rttMs: 1.234 },
};

const USED = { open: 1, total: 3, bytesIn: 2048, bytesOut: 1024 };
const EXPOSURE = { name: "80", target: "127.0.0.1:80", to: ["domain:home", "member:ci"], ...USED };
const FORWARD = { listen: "127.0.0.1:8080", member: "ci", service: "80", connected: true, standing: "active" };
const FORWARDS = [
  { ...FORWARD, ...USED, listening: true, why: "" },
  { ...FORWARD, ...USED, listening: true, listen: "[::1]:1", service: "x", why: "not-allowed" },
  { ...FORWARD, ...USED, listening: true, listen: "127.0.0.1:2", service: "y", connected: false, why: "not connected" },
  { ...FORWARD, ...USED, listening: true, listen: "127.0.0.1:3", member: "old", service: "z", standing: "revoked", why: "" },
  { ...FORWARD, ...USED, listening: false, listen: "127.0.0.1:4", service: "z", why: "EADDRINUSE" },
];
const TUNNEL_ANSWERS: Answers = {
  "POST /network/expose": EXPOSURE,
  "GET /network/exposures": { exposures: [EXPOSURE] },
  "POST /network/unexpose": { removed: "80" },
  "POST /network/forward": { ...FORWARD, trouble: { code: "data-refused", member: "ci", why: "not-exposed" } },
  "GET /network/forwards": { forwards: FORWARDS },
  "POST /network/unforward": { removed: "127.0.0.1:8080" },
  "POST /network/measure": {
    member: "ci",
    key: KEY,
    path: "tls",
    address: "192.0.2.2:4712",
    sent: { bytes: 2_097_152, ms: 500, bytesPerSecond: 4_194_304 },
    received: { bytes: 2_097_152, ms: 250, bytesPerSecond: 8_388_608 },
  },
};

/** Of the terminal that help is folded for. */
const COLUMNS = 80;

interface Stage {
  readonly context: Context;
  readonly asked: string[];
  readonly run: (...args: string[]) => Promise<{ code: number; out: string; note: string }>;
}

/** A home of its own, a package whose wrapper is a shell script that runs its arguments, and a daemon that gives `answers`. */
async function stage(
  t: TestContext,
  answers: Answers | "nobody" = { ...ANSWERS, ...TUNNEL_ANSWERS },
  extra: Record<string, string> = {},
): Promise<Stage> {
  const root = mkdtempSync(join(tmpdir(), "cairn-cli-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "client"));
  writeFileSync(join(root, "client/main.c"), '#!/bin/sh\nexec "$@"\n');
  writeFileSync(join(root, "client/build.sh"), 'cp "$(dirname "$0")/main.c" "$1" && chmod +x "$1"\n');
  const env = { PATH: process.env.PATH, CAIRN_HOME: join(root, "home"), ...extra };
  const home = homeFrom(env, "/nowhere");
  const asked: string[] = [];
  const socket = join(home.runDir, "control.sock");
  if (answers !== "nobody") {
    mkdirSync(home.runDir, { recursive: true });
    const server = fakeDaemon(answers, asked);
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    t.after(() => server.close());
  }
  const [out, note] = [[] as string[], [] as string[]];
  const stream = (into: string[]): Stream => ({ write: (text) => void into.push(text), columns: COLUMNS });
  const terminal = openTerminal(stream(out), stream(note), env);
  const context: Context = {
    env,
    home,
    terminal,
    control: new ControlClient({ socket, deadlineMs: 5_000 }),
    root,
    cwd: root,
    version: "1.2.3",
  };
  return {
    context,
    asked,
    run: async (...args) => {
      out.length = 0;
      note.length = 0;
      const code = await runProgram(context, args, new AbortController().signal);
      return { code, out: out.join(""), note: note.join("") };
    },
  };
}

function fakeDaemon(answers: Answers, asked: string[]): Server {
  return createServer((request, response) => {
    const url = `${request.method} ${request.url}`;
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      asked.push(body === "" || body === "{}" ? url : `${url} ${body}`);
      const found = answers[url] ?? (url.startsWith("GET /stats?session=") ? answers["GET /stats"] : undefined);
      response.writeHead(found === undefined ? 404 : 200).end(JSON.stringify(found ?? { error: { code: "usage", why: `no ${url}` } }));
    });
  });
}

test("answers for people", async (t) => {
  const { run } = await stage(t);
  const rows: [args: string[], code: number, ...out: RegExp[]][] = [
    [[], 0, /In two minutes/, /cairn run -- make/],
    [
      ["status"],
      0,
      /running, process 4242, version 1\.2\.3/,
      /up 3 h 05 m, 58\.2 MiB of memory, 2 compiles under way/,
      /1\.2 GiB of 20 GiB, 6\.0 %/,
    ],
    [["up"], 0, /already running {2}process 4242/],
    [["stats"], 0, /compiles +118/, /hits +112 +95 %/, /by the wrapper alone +100/, /called for link +2/, /saved +1 m 12 s/],
    [
      ["explain", "/p/a.c"],
      0,
      /^\/p\/a\.c\n {2}miss/,
      /option +-O2 → -O3/,
      /option +with -g/,
      /input +include\/a\.h/,
      /appeared +first\/b\.h \(it was/,
      /17 files/,
    ],
    [["explain", "/p/c.c"], 0, /pc had this result; it was not taken: 1 of 2 domains vouches for it/],
    [["explain", "/p/d.c"], 0, /compiler failed/, /not written +a\.o/, /^(?!.* files)/s],
    [["explain", "/p/b.c", "--json"], 1, /"code": "not-found",\n +"message": "no compile of \/p\/b\.c is remembered"/],
    [["gc", "--max-size", "2GiB"], 0, /removed 3 blobs, freed 2 MiB; the store takes 1 MiB/],
    [["config", "list"], 0, /store\.capacity +20 GiB +default/, /log\.level +warn +CAIRN_LOG_LEVEL/],
    [["config", "get", "log.level"], 0, /^warn\n$/],
    [["config", "path"], 0, /home\/config\.toml\n$/],
    [["init"], 0, /founded {2}network acme; this machine is laptop, of the domain home/, /cairn invite/],
    [["invite"], 0, /^cairn1-abc\n$/],
    [["join", "cairn1-abc"], 0, /joined {2}network acme; this machine is desktop, of the domain home; 3 members/],
    [
      ["members"],
      0,
      /network acme: 3 members/,
      /laptop +home +3f9ac2000000 +this machine +admin/,
      /ci +ci +3f9ac2000000 +connected +laptop +provisional/,
      /old +home +3f9ac2000000 +revoked +ci/,
      /an invitation by laptop into home is open for 0 ms/,
    ],
    [
      ["peers"],
      0,
      /listening on \/ip4\/192\.0\.2\.1/,
      /ci +ci +\/ip4\/192\.0\.2\.2\/tcp\/4711 +direct +1\.3 ms +1 MiB in, 2 KiB out +1 m 12 s; often has not what it says, not asked for 30 s/,
      /old +home +unreachable: no address known/,
    ],
    [["revoke", "ci"], 0, /revoked {2}ci/],
    [["leave"], 0, /left {2}network acme/],
    [["ping", "ci"], 0, /ci answered in 1\.23 ms/],
    [
      ["ping", "ci", "--bytes", "2MiB"],
      0,
      /ci at 192\.0\.2\.2:4712, directly over TLS/,
      /sent +2 MiB in 500 ms +4 MiB\/s/,
      /received +2 MiB in 250 ms +8 MiB\/s/,
    ],
    [["expose", "80"], 0, /exposed {2}127\.0\.0\.1:80 as 80, to domain home, member ci/, /cairn forward PORT MEMBER:80/],
    [["expose", "--list"], 0, /80 +127\.0\.0\.1:80 +domain home, member ci +1 +3 connections +2 KiB in, 1 KiB out/],
    [["expose", "--remove", "80"], 0, /removed {2}80/],
    [
      ["forward", "8080", "ci:80"],
      1,
      /forwarded {2}127\.0\.0\.1:8080 leads to ci:80/,
      /not yet {2}ci exposes nothing of that name; .*\n {2}there: cairn expose PORT/,
    ],
    [
      ["forward"],
      0,
      /127\.0\.0\.1:8080 +ci:80 +1 +3 connections +2 KiB in, 1 KiB out +ready/,
      /\[::1\]:1 +ci:x +.*ci exposes that, but not to this machine/,
      /127\.0\.0\.1:2 +ci:y +.*ci is not connected/,
      /127\.0\.0\.1:3 +old:z +.*old is no member: revoked/,
      /127\.0\.0\.1:4 +ci:z +.*cannot listen: something else listens there/,
    ],
    [["forward", "--remove", "8080"], 0, /removed {2}127\.0\.0\.1:8080/],
    [["doctor"], 1, /no {2}index +is damaged/, /index +cairn gc --all/, /no {2}wrapper +not built yet/],
    [["doctor", "--store"], 0, /ok {2}store +all 9 blobs/, /All is well/],
    [["--version"], 0, /^1\.2\.3\n$/],
  ];
  for (const [args, code, ...patterns] of rows) {
    const result = await run(...args);
    assert.equal(result.code, code, args.join(" "));
    for (const pattern of patterns) assert.match(result.out, pattern);
    assert.equal(result.out, stripVTControlCharacters(result.out), "no colours where there is no terminal");
    assert.doesNotMatch(result.out, /undefined|NaN|\[object/);
  }
});

test("every command has help with examples and --json, no wider than the terminal", async (t) => {
  const { run } = await stage(t);
  const help = async (...command: string[]): Promise<string> => {
    const { code, out } = await run(...command, "--help");
    assert.equal(code, 0);
    assert.match(out, /Examples:\n {2}\$ .*cairn /, command.join(" "));
    for (const line of out.split("\n")) assert.ok(line.length <= COLUMNS || /^ {2}\$ /.test(line), `${command.join(" ")}: ${line}`);
    return out;
  };
  const commands = [...(await help()).matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name = ""]) => name).filter((name) => name !== "help");
  assert.ok(commands.includes("run") && commands.includes("forward") && commands.includes("completion"));
  for (const command of commands) {
    const out = await help(command);
    const below = out.split("\nCommands:\n")[1]?.split("\n\n")[0] ?? "";
    const parts = [...below.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name = ""]) => name).filter((name) => name !== "help");
    for (const part of parts) assert.match(await help(command, part), /--json/, `${command} ${part}`);
    if (parts.length === 0) assert.match(out, /--json/, command);
  }
});

const LACK = { lack: "bwrap is not installed", advice: "install bubblewrap" };

test("a machine that cannot work for others says so at once, with what to do, and still consumes", async (t) => {
  const { run } = await stage(t, {
    ...ANSWERS,
    "GET /work": { ...LACK, declined: "lack", percent: 100, hours: "all" },
    "GET /doctor": [{ check: "sandbox", ok: true, warns: true, detail: "declines others' compiles", advice: LACK.advice }],
    "POST /doctor/store": { done: [{ check: "sandbox", ok: true, warns: true, detail: "declines others' compiles" }] },
  });
  const line =
    /^declines {2}it does nothing for other machines, and still uses what they make: no sandbox, bwrap.*; to do: install bubblewrap$/m;
  for (const args of [["up"], ["init"], ["join", "cairn1-abc"]]) {
    const { code, out } = await run(...args);
    assert.equal(code, 0);
    assert.match(out, line);
    assert.deepEqual((JSON.parse((await run(...args, "--json")).out) as Record<string, unknown>)["declines"], LACK);
  }
  assert.match((await run("share")).out, /nothing, for lack of a sandbox: bwrap.*\nto do +install bubblewrap/);
  assert.match((await run("doctor")).out, /!! {2}sandbox +declines others' compiles/);
  const { code, out } = await run("doctor", "--store");
  assert.equal(code, 0);
  assert.match(out, /!! {2}sandbox[^]*Nothing is broken; what is marked !!/);
});

test("answers for programs are one JSON value on standard output", async (t) => {
  const { run } = await stage(t);
  const rows: [args: string[], check: (value: Record<string, unknown>) => void][] = [
    [["status"], (value) => assert.deepEqual([value.pid, value.version], [4242, "1.2.3"])],
    [["stats"], (value) => assert.deepEqual(value.counters, COUNTERS)],
    [["explain", "/p/a.c"], (value) => assert.equal(value.found, true)],
    [["gc"], (value) => assert.equal(value.removed, 3)],
    [["up"], (value) => assert.deepEqual([value.started, value.pid, value.declines], [false, 4242, null])],
    [["config", "get", "log.level"], (value) => assert.equal(value.value, "warn")],
    [["config", "path"], (value) => assert.match(String(value.path), /config\.toml$/)],
    [["launcher"], (value) => assert.match(String(value.path), /cairn-cc$/)],
    [["env"], (value) => assert.match(String(value.PATH), /bin\/compilers:/)],
    [["invite"], (value) => assert.equal(value.line, "cairn1-abc")],
    [["members"], (value) => assert.deepEqual(value, MEMBERS)],
    [["peers"], (value) => assert.deepEqual(value, PEERS)],
    [["completion", "bash"], (value) => assert.match(String(value.script), /complete -F/)],
  ];
  for (const [args, check] of rows) {
    const { out, note } = await run(...args, "--json");
    check(JSON.parse(out) as Record<string, unknown>);
    assert.equal(note, "");
  }
});

test("what is asked of the daemon", async (t) => {
  const { run, asked } = await stage(t);
  await run("stats", "--zero");
  await run("stats", "--session", "00000000000000ff");
  await run("gc", "--all");
  await run("gc", "--max-size", "500MB");
  await run("invite", "--domain", "ci", "--expires", "90m");
  await run("init", "--name", "acme");
  await run("leave", "--force");
  assert.deepEqual(
    asked.filter((question) => question !== "GET /status"),
    [
      "GET /stats",
      "POST /stats/zero",
      "GET /stats?session=00000000000000ff",
      'POST /gc {"all":true}',
      'POST /gc {"maxBytes":500000000,"all":false}',
      'POST /network/invite {"domain":"ci","expiresMs":5400000}',
      'POST /network/init {"name":"acme"}',
      "GET /work",
      'POST /network/leave {"force":true}',
    ],
  );
});

test("a command line that makes no sense ends with 2 and one line about it", async (t) => {
  const { run } = await stage(t);
  const rows: [args: string[], pattern: RegExp][] = [
    [["bogus"], /unknown command 'bogus'/],
    [["log", "bogus"], /^cairn: log has no such part; there are: prove, check\n/],
    [["stats", "bogus"], /too many arguments for 'stats'/],
    [["stats", "--bogus"], /unknown option '--bogus'/],
    [["gc", "--max-size", "lots"], /A size is a number of bytes/],
    [["gc", "--max-size", "1", "--all"], /cannot be used with/],
    [["doctor", "--store", "--network"], /cannot be used with/],
    [["run"], /missing required argument/],
    [["join"], /missing required argument/],
    [["invite", "--expires", "soon"], /A time is a number and a unit/],
    [["config", "get", "nope"], /no setting nope\n {2}there are: store\.capacity, store\.plain/],
    [["config", "set", "nope", "1"], /no setting nope/],
    [["config", "set", "sharing.policy", "foo"], /sharing\.policy cannot be foo\n {2}it can be: self, speculative, team, release/],
    [["completion", "tcsh"], /one of bash, zsh, fish/],
    [["env", "--shell", "tcsh"], /Allowed choices are sh, fish/],
  ];
  for (const [args, pattern] of rows) {
    const { code, out, note } = await run(...args);
    assert.equal(code, 2, args.join(" "));
    assert.match(note, pattern);
    assert.equal(out, "");
  }
  const { code, out } = await run("bogus", "--json");
  assert.equal(code, 2);
  assert.deepEqual(JSON.parse(out), { error: { code: "usage", message: "unknown command 'bogus'", advice: [] } });
});

test("without a daemon: exit code 3, and advice", async (t) => {
  const { run } = await stage(t, "nobody");
  for (const args of [["status"], ["stats"], ["explain", "/p/a.c"]]) {
    const { code, note } = await run(...args);
    assert.equal(code, 3, args.join(" "));
    assert.match(note, /no daemon is running\n {2}cairn up/);
  }
  const { code, out } = await run("status", "--json");
  assert.equal(code, 3);
  assert.equal((JSON.parse(out) as { error: { code: string } }).error.code, "daemon-absent");
  assert.deepEqual(await run("down"), { code: 0, out: "no daemon is running\n", note: "" });
});

test("a daemon that refuses or talks nonsense is told apart from one that is absent", async (t) => {
  const { run } = await stage(t, {});
  assert.deepEqual([(await run("stats")).code, (await run("stats")).note], [2, "cairn: no GET /stats\n"]);
});

test("settings can be changed without a daemon", async (t) => {
  const { run, context } = await stage(t, "nobody");
  assert.equal((await run("config", "set", "store.capacity", "50GiB")).code, 0);
  assert.equal(readFileSync(context.home.configFile, "utf8"), '[store]\ncapacity = "50GiB"\n');
  assert.equal((await run("config", "get", "store.capacity")).out, `${50 * 1024 ** 3}\n`);
  writeFileSync(context.home.configFile, "[store\n");
  const broken = await run("config", "set", "store.capacity", "1GiB");
  assert.equal(broken.code, 1);
  assert.match(broken.note, /config\.toml, line 1: not TOML/);
});

test("run and cc end as their command does", async (t) => {
  const { run } = await stage(t);
  const rows: [args: string[], code: number, note: RegExp][] = [
    [
      ["run", "--", "sh", "-c", "exit 7"],
      7,
      /^cairn: 118 compiles: 112 hits \(95 %\), 4 misses, 2 passed through; saved 1 m 12 s of compile time\n$/,
    ],
    [["run", "--quiet", "sh", "-c", "kill -9 $$"], 137, /^$/],
    [["run", "-q", "--", "no-such-command"], 127, /no-such-command: no such command/],
    [["run", "-q", "--", "/etc/passwd"], 126, /cannot be started \(EACCES\)/],
    [["cc", "sh", "-c", "exit 5"], 5, /^$/],
    [["cc", "sh", "-c", "kill -TERM $$"], 143, /^$/],
  ];
  for (const [args, code, note] of rows) {
    const result = await run(...args);
    assert.equal(result.code, code, args.join(" "));
    assert.match(result.note, note);
  }
  const { note } = await run("run", "--json", "--", "true");
  assert.deepEqual((JSON.parse(note) as { exitCode: number; counters: unknown }).counters, COUNTERS);
});

test("run says what it does not see when it has seen nothing", async (t) => {
  const { run } = await stage(t, { ...ANSWERS, "GET /stats": { counters: {} } });
  assert.match((await run("run", "true")).note, /^cairn: no compiler was called; .* whole path is not seen\n$/);
});

test("run says when what was compiled could not be stored", async (t) => {
  const { run } = await stage(t, { ...ANSWERS, "GET /stats": { counters: { ...COUNTERS, "not_stored:storing_failed": 2 } } });
  assert.match((await run("run", "true")).note, /passed through; .*; 2 could not be stored \(cairn doctor\)\n$/);
});

test("run sets the build up and asks for its own session", async (t) => {
  const { run, context, asked } = await stage(t, ANSWERS, { CC: "/opt/cc" });
  const file = join(context.root, "env");
  await run("run", "--", "sh", "-c", `env > ${file}`);
  const env = new Map(
    readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(/=(.*)/s) as [string, string]),
  );
  assert.ok(env.get("PATH")?.startsWith(`${context.home.binDir}/compilers:`));
  assert.equal(env.get("CMAKE_C_COMPILER_LAUNCHER"), join(context.home.binDir, "cairn-cc"));
  assert.equal(env.get("CMAKE_CXX_COMPILER_LAUNCHER"), join(context.home.binDir, "cairn-cc"));
  assert.equal(env.get("CC"), "/opt/cc");
  assert.match(env.get("CAIRN_SESSION") ?? "", /^[0-9a-f]{16}$/);
  assert.ok(asked.includes(`GET /stats?session=${env.get("CAIRN_SESSION")}`));
});

test("run forwards signals to its command", async (t) => {
  const { run, context } = await stage(t);
  const ready = join(context.root, "ready");
  const running = run("run", "-q", "--", "sh", "-c", `trap 'exit 9' TERM; : > ${ready}; while :; do sleep 0.02; done`);
  while (!existsSync(ready)) await sleep(5, undefined, { signal: t.signal });
  process.kill(process.pid, "SIGTERM");
  assert.equal((await running).code, 9);
});

test("a build goes on when Cairn cannot be set up", async (t) => {
  const { run, context } = await stage(t);
  writeFileSync(join(context.root, "client/build.sh"), "exit 1\n");
  for (const args of [
    ["run", "--", "sh", "-c", "exit 4"],
    ["cc", "sh", "-c", "exit 4"],
  ]) {
    const { code, note } = await run(...args);
    assert.equal(code, 4);
    assert.match(note, /^cairn: the compiler wrapper could not be built.*going on without/);
  }
});

test("the variables can be used by shells", async (t) => {
  const { run, context } = await stage(t, "nobody");
  const { out } = await run("env");
  const path = execFileSync("/bin/sh", ["-c", `${out}\nprintf %s "$PATH"`], { encoding: "utf8" });
  assert.ok(path.startsWith(`${context.home.binDir}/compilers:`));
  assert.match((await run("env", "--shell", "fish")).out, /^set -gx PATH '/);
});

test("completion scripts are scripts, and name every command", async (t) => {
  const { run, context } = await stage(t);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out } = await run("completion", shell);
    for (const word of ["run", "launcher", "explain", "stats"]) assert.match(out, new RegExp(`\\b${word}\\b`));
    const file = join(context.root, shell);
    writeFileSync(file, out);
    if (shell === "bash") {
      execFileSync("bash", ["-n", file]);
      const complete = (...words: string[]): string =>
        execFileSync(
          "bash",
          [
            "-c",
            `. ${file}; COMP_WORDS=(${words.join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); _cairn 2>/dev/null; echo "\${COMPREPLY[@]}"`,
          ],
          { encoding: "utf8" },
        ).trim();
      assert.equal(complete("cairn", "st"), "status stats");
      assert.equal(complete("cairn", "stats", "--z"), "--zero");
      assert.equal(complete("cairn", "config", "li"), "list");
      assert.equal(complete("cairn", "connect", "baz"), "bazel bazel-http");
      for (const command of ["explain", "verify", "pin"]) assert.match(out, new RegExp(`^ +${command}\\) .*compopt -o default`, "m"));
      assert.equal(complete("cairn", "config", "set", "store.c"), "store.capacity");
    } else if (existsSync(`/usr/bin/${shell}`)) {
      execFileSync(shell, ["-n", file]);
    }
  }
});

test("the systemd unit is written and how to enable it is told", async (t) => {
  const { run, context } = await stage(t, "nobody", { XDG_CONFIG_HOME: mkdtempSync(join(tmpdir(), "cairn config-")) });
  t.after(() => rmSync(context.env.XDG_CONFIG_HOME ?? "", { recursive: true, force: true }));
  const { code, out } = await run("up", "--install-service");
  assert.equal(code, 0);
  assert.match(out, /systemctl --user enable --now cairn\.service/);
  const unit = readFileSync(join(context.env.XDG_CONFIG_HOME ?? "", "systemd/user/cairn.service"), "utf8");
  assert.match(unit, /^ExecStart=".*\/bin\/cairn" up --foreground$/m);
  assert.match(unit, new RegExp(`^Environment="CAIRN_HOME=${context.home.root}"$`, "m"));
});

test("a setting that was changed while the daemon runs is told both as it is and as it will be", async (t) => {
  const { run } = await stage(t);
  assert.equal((await run("config", "get", "store.capacity")).note, "");
  await run("config", "set", "store.capacity", "50GiB");
  const { out, note } = await run("config", "get", "store.capacity");
  assert.equal(out, "21474836480\n", "what holds, alone");
  assert.match(note, /running daemon's; 53687091200 \(.*config\.toml\) takes effect when the daemon starts anew/);
  assert.match((await run("config", "list")).out, /store\.capacity +20 GiB +default; 50 GiB later, config file/);
  const value = JSON.parse((await run("config", "get", "store.capacity", "--json")).out) as { value: number; next: { value: number } };
  assert.deepEqual([value.value, value.next.value], [21_474_836_480, 53_687_091_200]);
});

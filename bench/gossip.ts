/**
 * How soon a message of one member has reached all others, what that costs, and how soon the others know that a member was killed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { formNetwork, type MemberProcess } from "./members.ts";
import { type Settings, Workshop } from "./settings.ts";
import { quantile, same, spread } from "./statistics.ts";
import { type Report, row } from "./table.ts";

const BARS = {
  reach: { must: 500, aim: 100 },
  lost: { must: 2_000, aim: 1_000 },
} as const;
/** Between two messages: 5 a second, of members in turn, as many as a busy network of 20 tells of itself. */
const EVERY_MS = 200;
/** Meshes find themselves, presence is told. */
const SETTLE_MS = 3_000;
const NOTICE_MS = 3_000;
const POLL_MS = 50;

export async function gossip(settings: Settings): Promise<Report> {
  using workshop = new Workshop();
  settings.progress(`starting ${settings.members} members`);
  const members = await formNetwork(workshop.directory, settings.members, settings.progress);
  try {
    await sleep(SETTLE_MS);
    settings.progress(`${settings.messages} messages`);
    const spoken = await speak(members, settings.messages);
    settings.progress("killing members");
    const lost = await killSome(members, Math.min(settings.rounds, settings.members - 2));
    const rows = [
      row("until all have a message, p50", "ms", same(quantile(spoken.reachedMs, 0.5))),
      row("until all have a message, p99", "ms", same(quantile(spoken.reachedMs, 0.99)), BARS.reach),
      row("CPU of all, a delivery", "ms", same(spoken.cpuMs / (settings.messages * (settings.members - 1)))),
      row(
        "a member is killed: another knows, p99",
        "ms",
        same(
          quantile(
            lost.toSorted((a, b) => a - b),
            0.99,
          ),
        ),
        BARS.lost,
      ),
      row("a member is killed: another knows", "ms", spread(lost)),
    ];
    const notes = [
      `${settings.members} members, a process each, all linked on loopback; ${settings.messages} messages, 5 a second, of members in turn`,
      "CPU: with what an idle network does, presence included",
    ];
    return { benchmark: "gossip", rows, notes };
  } finally {
    await Promise.all(members.map((member) => member.kill()));
  }
}

/** @returns for each message when the last member had it; sorted */
async function speak(members: readonly MemberProcess[], messages: number): Promise<{ reachedMs: number[]; cpuMs: number }> {
  const cpu = (): number => members.reduce((sum, member) => sum + member.cpuMs(), 0);
  const before = cpu();
  for (let number = 0; number < messages; number++) {
    await Promise.all([members[number % members.length]?.ask({ do: "say", number }), sleep(EVERY_MS)]);
  }
  await sleep(SETTLE_MS);
  const cpuMs = cpu() - before;
  const noticed = await Promise.all(members.map((member) => member.noticed()));
  const reachedMs = Array.from({ length: messages }, (_, number) => {
    const said = noticed.flatMap((one) => one.said[number] ?? []);
    const heard = noticed.flatMap((one) => one.heard[number] ?? []);
    if (said.length !== 1 || heard.length !== members.length - 1) return Infinity; // It has not reached all.
    return Math.max(...heard.map((at) => Number(BigInt(at) - BigInt(said[0] ?? 0)) / 1e6));
  });
  return { reachedMs: reachedMs.toSorted((a, b) => a - b), cpuMs };
}

/** @param members those that are killed are gone from it afterwards. @returns for each pair of one killed and one that knew, ms */
async function killSome(members: MemberProcess[], count: number): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < count; i++) {
    const victim = members.pop();
    if (victim === undefined) break;
    const at = await victim.kill();
    const until = Date.now() + NOTICE_MS;
    for (const member of members) {
      let lost = (await member.noticed()).lost[victim.key];
      for (; lost === undefined && Date.now() < until; lost = (await member.noticed()).lost[victim.key]) await sleep(POLL_MS);
      all.push(lost === undefined ? Infinity : Number(BigInt(lost) - at) / 1e6);
    }
  }
  return all;
}

/**
 * evidence show, verify: members that were found to have signed what is not so, and what shows it to anybody.
 *
 * `verify` needs neither a daemon nor a network.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { CairnError, limits, systemCode, systemReason } from "../base/index.ts";
import type { EvidenceRead, ForkEvidenceRead, NoEvidence, NoForkEvidence, NoRoundEvidence, RoundEvidenceRead } from "../trust/index.ts";
import { field, listIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import type { Json } from "./network-ask.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

/** Digits of a key or digest that people are shown. */
const SHOWN = 16;

export async function evidenceShow(
  context: Context,
  who: string | undefined,
  options: Json & { readonly output?: string | undefined },
  signal: AbortSignal,
): Promise<number> {
  const { control, terminal } = context;
  const raw = await control.get("/evidence", {}, signal);
  const all = listIn(raw, "convicted").filter(
    (one) => who === undefined || textIn(one, "name") === who || textIn(one, "signer").startsWith(who),
  );
  if (who !== undefined && all.length === 0) throw new CairnError("not-found", { why: `there is no evidence against ${who}` });
  if (options.output !== undefined) return write(context, all, options.output, options);
  const suspected = listIn(raw, "suspected");
  answer(terminal, options.json, { convicted: all, suspected }, () => shown(all, suspected, terminal.paint));
  return exitCodes.ok;
}

function write({ cwd, terminal }: Context, all: readonly unknown[], output: string, options: Json): number {
  const [first, ...others] = all;
  if (first === undefined) throw new CairnError("not-found", { why: "there is no evidence against anybody" });
  if (others.length > 0) throw new CairnError("usage", { why: `there is evidence against ${all.length} signers: name one of them` });
  const path = resolve(cwd, output);
  try {
    writeFileSync(path, `${textIn(first, "evidence")}\n`);
  } catch (error) {
    throw new CairnError("usage", { why: `cannot write ${path}: ${systemCode(error) ?? "it failed"}` }, error);
  }
  answer(terminal, options.json, { path, signer: textIn(first, "signer") }, () => [
    `${terminal.paint.good("written")}  ${path}`,
    `${terminal.paint.name(`cairn evidence verify ${output}`)}   checks it, here or anywhere`,
  ]);
  return exitCodes.ok;
}

function shown(convicted: readonly unknown[], suspected: readonly unknown[], paint: Paint): string[] {
  const line = (one: unknown, what: string): string =>
    `${textIn(one, "name")} (${textIn(one, "domain")}), attestation key ${textIn(one, "signer").slice(0, SHOWN)}…: ${what}`;
  if (convicted.length + suspected.length === 0) return ["no member was found to have signed what is not so"];
  return [
    ...convicted.map((one) => {
      const of = `action ${textIn(one, "action").slice(0, SHOWN)}…`;
      const by = field(one, "isFalseOpening") === true ? `opening what it had not promised of ${of}` : of;
      return line(one, paint.bad(`convicted, by ${field(one, "isFork") === true ? "two histories of its log" : by}`));
    }),
    ...suspected.map((one) => line(one, paint.careful("stands alone against three domains; this machine has not executed it"))),
  ];
}

const WHY: Readonly<Record<NoEvidence, string>> = {
  "too-large": "is too large to be evidence",
  "not-evidence": "is no evidence",
  membership: "does not hold the genesis of the network that it names",
  signature: "holds an attestation that its signer has not signed",
  "different-actions": "holds attestations of different actions",
  command: "is about a command, whose results may differ between honest machines",
  "not-alone": "does not show one signer alone against three domains",
};

export async function evidenceVerify({ cwd, terminal }: Context, name: string, options: Json): Promise<number> {
  const file = resolve(cwd, name);
  const [{ isForkEvidence, isRoundEvidence, readEvidence, readForkEvidence, readRoundEvidence }, { loadNetworkCodec }] = await Promise.all([
    import("../trust/index.ts"),
    import("../wire/index.ts"),
  ]);
  const text = textOf(file);
  if (isForkEvidence(text)) return forkVerdict(file, readForkEvidence(await loadNetworkCodec(), text), terminal, options);
  if (isRoundEvidence(text)) return roundVerdict(file, readRoundEvidence(await loadNetworkCodec(), text), terminal, options);
  const read = readEvidence(await loadNetworkCodec(), text);
  answer(terminal, options.json, { file, ...toldOf(read) }, () => verdict(file, read, terminal.paint));
  return read.kind === "convicts" ? exitCodes.ok : exitCodes.failed;
}

const WHY_NO_FORK: Readonly<Record<NoForkEvidence, string>> = {
  "too-large": WHY["too-large"],
  "not-evidence": WHY["not-evidence"],
  membership: WHY.membership,
  "not-a-member": "is about a log of no member of its network",
  "not-forked": "holds two checkpoints that one log may have had",
};

function forkVerdict(file: string, read: ForkEvidenceRead, terminal: Context["terminal"], options: Json): number {
  const { paint } = terminal;
  if (read.kind === "refused") {
    answer(terminal, options.json, { file, ok: false, why: read.why }, () => [`${paint.bad("bad")}  ${file} ${WHY_NO_FORK[read.why]}`]);
    return exitCodes.failed;
  }
  const { network, networkName, member, fork } = read.forked;
  const convicted = { name: member.name, domain: member.domain, signer: member.attestationKey };
  const checkpoints = [fork.older, fork.newer].map(({ size, root }) => ({ size, root }));
  answer(terminal, options.json, { file, ok: true, network, networkName, convicted, checkpoints }, () => [
    `${paint.good("good")}  ${file}`,
    `  in the network ${networkName} (${network})`,
    `  ${paint.bad(member.name)} (${member.domain}), attestation key ${member.attestationKey}, has signed two checkpoints of its log that no log can have had:`,
    ...checkpoints.map(({ size, root }) => `  of ${size} entries, with the root ${root.slice(0, SHOWN)}…`),
  ]);
  return exitCodes.ok;
}

const WHY_NOT_FALSE: Readonly<Record<NoRoundEvidence, string>> = {
  "too-large": WHY["too-large"],
  "not-evidence": WHY["not-evidence"],
  membership: WHY.membership,
  "not-a-member": "is about no member of its network",
  "not-false": "does not hold a commitment and another opening of one signer",
};

function roundVerdict(file: string, read: RoundEvidenceRead, terminal: Context["terminal"], options: Json): number {
  const { paint } = terminal;
  if (read.kind === "refused") {
    answer(terminal, options.json, { file, ok: false, why: read.why }, () => [`${paint.bad("bad")}  ${file} ${WHY_NOT_FALSE[read.why]}`]);
    return exitCodes.failed;
  }
  const { networkName, member, opening } = read.shown;
  const { network, round, action } = opening;
  const convicted = { name: member.name, domain: member.domain, signer: member.attestationKey };
  answer(terminal, options.json, { file, ok: true, network, networkName, convicted, round, action }, () => [
    `${paint.good("good")}  ${file}`,
    `  in the network ${networkName} (${network}), of action ${action}`,
    `  ${paint.bad(member.name)} (${member.domain}), attestation key ${member.attestationKey}, has signed what it promised in a round, and then opened something else`,
  ]);
  return exitCodes.ok;
}

/** @throws {CairnError} usage */
function textOf(file: string): string {
  try {
    // What is too large is not evidence, and need not be read to say so.
    return statSync(file).size > limits.trust.evidenceBytes ? "" : readFileSync(file, "utf8");
  } catch (error) {
    throw new CairnError("usage", { why: `${file} cannot be read: ${systemReason(error)}` }, error);
  }
}

function toldOf(read: EvidenceRead): object {
  if (read.kind === "refused") return { ok: false, why: read.why };
  const { network, networkName, action, member, alone, agreeing } = read.convicted;
  const objects = ({ outputs }: typeof alone): object[] => outputs.map(({ path, digest, size }) => ({ path, digest, size }));
  return {
    ok: true,
    network,
    networkName,
    action,
    convicted: { name: member.name, domain: member.domain, signer: member.attestationKey, outputs: objects(alone) },
    agreeing: agreeing.map((one) => ({ name: one.member.name, domain: one.member.domain, outputs: objects(one.attestation) })),
  };
}

function verdict(file: string, read: EvidenceRead, paint: Paint): string[] {
  if (read.kind === "refused") return [`${paint.bad("bad")}  ${file} ${WHY[read.why]}`];
  const told = toldOf(read);
  const { network, networkName, action, member, agreeing } = read.convicted;
  const object = (of: unknown): string => textIn(listIn(of, "outputs")[0], "digest").slice(0, SHOWN);
  return [
    `${paint.good("good")}  ${file}`,
    `  in the network ${networkName} (${network}), of action ${action}`,
    `  ${paint.bad(member.name)} (${member.domain}), attestation key ${member.attestationKey}, signed ${object(field(told, "convicted"))}…`,
    ...agreeing.map((one, at) => `  ${one.member.name} (${one.member.domain}) signed ${object(listIn(told, "agreeing")[at])}…`),
    paint.dim("  it is your network if you know its id; that these domains are independent of each other, nobody can sign"),
  ];
}

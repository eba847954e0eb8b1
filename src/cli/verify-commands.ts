/**
 * verify, challenge: a compile or a command executed once more, here and by other members, beside what was said of it before.
 */

import { resolve } from "node:path";
import { isDigest } from "../base/index.ts";
import { field, listIn, numberIn, textIn } from "./answers.ts";
import { answer, type Context } from "./context.ts";
import { follow } from "./follow.ts";
import { count, counted, harmless, indent, table } from "./format.ts";
import type { Json } from "./network-ask.ts";
import type { Paint } from "./terminal.ts";
import { exitCodes } from "./troubles.ts";

/** Digits of an action that people are shown. */
const SHOWN = 16;

export function verify(context: Context, name: string | undefined, options: Json, signal: AbortSignal): Promise<number> {
  return execute(context, "/trust/verify", name, options, signal);
}

export function challenge(context: Context, name: string, options: Json, signal: AbortSignal): Promise<number> {
  return execute(context, "/trust/challenge", name, options, signal);
}

async function execute(context: Context, path: string, name: string | undefined, options: Json, signal: AbortSignal): Promise<number> {
  const { terminal, cwd } = context;
  const isAction = name !== undefined && isDigest(name);
  const question = { file: name === undefined || isAction ? "" : resolve(cwd, name), action: isAction ? name : "" };
  const raw = await follow(context, path, question, (progress) => line(progress), signal);
  const isChallenge = path === "/trust/challenge";
  if (field(raw, "isOfMany") === true) {
    answer(terminal, options.json, raw, () => linesOfMany(raw, isChallenge, terminal.paint));
    const isWell = numberIn(raw, "confirmed") > 0 && numberIn(raw, "differs") + numberIn(raw, "notExecuted") === 0;
    return isWell ? exitCodes.ok : exitCodes.failed;
  }
  answer(terminal, options.json, raw, () => lines(raw, isChallenge, terminal.paint));
  return field(raw, "confirmed") === true ? exitCodes.ok : exitCodes.failed;
}

/** Of a build: what did not come out the same, and how much did. */
function linesOfMany(raw: unknown, isChallenge: boolean, paint: Paint): string[] {
  const [told, passed] = [listIn(raw, "told"), listIn(raw, "passed")];
  const [confirmed, differs, notExecuted] = [numberIn(raw, "confirmed"), numberIn(raw, "differs"), numberIn(raw, "notExecuted")];
  const [unknown, leftOut] = [numberIn(raw, "unknown"), numberIn(raw, "leftOut")];
  const counts = [
    paint.good(`${count(confirmed)} the same`),
    ...(differs === 0 ? [] : [paint.bad(`${count(differs)} not`)]),
    ...(notExecuted === 0 ? [] : [paint.careful(`${count(notExecuted)} not executed`)]),
    ...(unknown === 0 ? [] : [`${count(unknown)} not looked at, as their files are others now, or nothing was kept`]),
  ];
  return [
    ...told.flatMap((one) => lines(one, isChallenge, paint)),
    ...more(numberIn(raw, "notTold"), paint),
    ...passed.slice(0, SHOWN_PASSED).map((one) => paint.dim(harmless(textIn(one, "why")))),
    ...more(unknown - SHOWN_PASSED, paint),
    ...(leftOut === 0
      ? []
      : [`${counted(leftOut, "member")} did not answer, and ${leftOut === 1 ? "was" : "were"} not asked about the rest`]),
    `${paint.bold(harmless(textIn(raw, "directory")))}: ${counted(numberIn(raw, "results"), "result")} once more: ${counts.join(", ")}`,
  ];
}

function more(notShown: number, paint: Paint): string[] {
  return notShown > 0 ? [paint.dim(`… ${count(notShown)} more`)] : [];
}

/** Of results of which nothing is known. */
const SHOWN_PASSED = 5;

function line(progress: unknown): string {
  const [source, members] = [textIn(progress, "source"), numberIn(progress, "members")];
  if (source === "") return "";
  const what = harmless(source);
  return `${field(progress, "isCommand") === true ? "running" : "compiling"} ${what} once more, here${members === 0 ? "" : ` and by ${counted(members, "member")}`}`;
}

function lines(raw: unknown, isChallenge: boolean, paint: Paint): string[] {
  const members = listIn(raw, "members");
  const isCommand = field(raw, "isCommand") === true;
  const rows = [
    ["this machine, once more", outcome(field(raw, "here"), isCommand, paint)],
    ...members.map((one) => [`${textIn(one, "name")} (${textIn(one, "domain")}), now`, outcome(one, isCommand, paint)]),
    ...listIn(raw, "voices").map((one) => {
      const who = field(one, "self") === true ? "this machine" : `${textIn(one, "name")} (${textIn(one, "domain")})`;
      return [`${who}, signed before`, field(one, "isSame") === true ? paint.good("the same") : paint.bad("something else")];
    }),
  ];
  return [
    `${paint.bold(harmless(textIn(raw, "source")))}  ${paint.dim(actionText(textIn(raw, "action")))}`,
    ...indent(table(rows.map(([name = "", value = ""]) => [paint.dim(name), value]))),
    ...differenceLines(field(raw, "here"), "this machine", paint),
    ...members.flatMap((one) => differenceLines(one, textIn(one, "name"), paint)),
    ...(isChallenge ? whoWasAsked(raw) : []),
    ...advice(raw),
  ];
}

/** Who could be asked, and what their word is worth. */
function whoWasAsked(raw: unknown): string[] {
  const isNobody = listIn(raw, "members").length === 0;
  if (field(raw, "isCommand") !== true) return isNobody ? ["  no member of another domain is there to be asked"] : [];
  return [
    ...(isNobody ? ["  no other machine of this domain is there to be asked"] : []),
    "  commands are run by machines of the own domain alone: what they find is no independent vote",
  ];
}

/** Where what came of it now parts from what is kept. */
function differenceLines(verdict: unknown, who: string, paint: Paint): string[] {
  const commands = listIn(verdict, "differences").flatMap((one) => {
    const text = `  ${paint.dim(`${who}:`)} ${harmless(differenceText(one))}`;
    return [text, ...sides(one, ["kept", "now"], paint)];
  });
  const place = field(verdict, "place");
  if (place === undefined || place === null) return commands;
  const names = listIn(verdict, "between").map(String);
  return [...commands, `  ${paint.dim(`${who}:`)} ${harmless(placeText(textIn(verdict, "stage"), place))}`, ...sides(place, names, paint)];
}

function sides(one: unknown, names: readonly string[], paint: Paint): string[] {
  const [before, after] = [textIn(one, "before"), textIn(one, "after")];
  const [first = "", second = ""] = names;
  const width = Math.max(first.length, second.length);
  const side = (name: string, text: string): string => `    ${paint.dim(name.padEnd(width))}  ${harmless(text)}`;
  return before === "" && after === "" ? [] : [side(first, before), side(second, after)];
}

/** Of a compile: which line, or which bytes of which function. */
function placeText(stage: string, place: unknown): string {
  if (field(place, "line") !== undefined) return `${stage}, from line ${numberIn(place, "line")} on`;
  const [section, symbol] = [textIn(place, "section"), field(place, "symbol")];
  const within = section === "" ? "" : `, section ${section}`;
  if (field(place, "offset") === undefined) return `${stage}${within}`;
  const byte = `from byte ${numberIn(place, "offset")} on`;
  if (symbol === undefined || symbol === null) return `${stage}${within}, ${byte}`;
  return `${stage}${within}, ${byte}, which is byte ${numberIn(symbol, "offset")} of ${textIn(symbol, "name")}`;
}

function differenceText(difference: unknown): string {
  const [what, path] = [textIn(difference, "what"), textIn(difference, "path")];
  const place = field(difference, "byte") === undefined ? `line ${numberIn(difference, "line")}` : `byte ${numberIn(difference, "byte")}`;
  const texts: Readonly<Record<string, string>> = {
    "exit-code": "another exit code",
    missing: `${path} was not left`,
    new: `${path} was left, too`,
    kind: `${path} is something else`,
    executable: `${path} may be executed in one of both alone`,
    link: `${path} leads elsewhere`,
    content: `${path}, from ${place} on`,
    stdout: `it prints something else, from ${place} on`,
    stderr: `it prints something else to standard error, from ${place} on`,
  };
  return texts[what] ?? `${what} ${path}`;
}

const NOT_EXECUTED: Readonly<Record<string, string>> = {
  not_shared: "not executed: sources go to other domains, and others' jobs are done, where work.with is network on both sides",
  files_changed: "not executed: its files are others than those that were compiled",
  toolchain_unknown: "not executed: that compiler is not there",
  no_answer: "not executed: it did not answer in time",
  failed: "not executed: the compiler ended with an error",
  no_sandbox: "not executed: there is no sandbox (cairn doctor)",
  system_unset: "not executed: nobody can tell which machines have the same installed as this one, and it has no name in work.system",
  system_unknown: "not executed: something else is installed there",
  near_limit: "executed, but it came near a limit of its sandbox here: with more it might have made something else",
  too_large: "not executed: it, or its inputs, are too large to be sent",
};

function outcome(verdict: unknown, isCommand: boolean, paint: Paint): string {
  const kind = textIn(verdict, "kind");
  if (kind === "same") return paint.good(listIn(verdict, "differences").length === 0 ? "the same" : "the same, but for what it printed");
  if (kind === "differs") {
    const stage = textIn(verdict, "stage");
    const repeatable = field(verdict, "repeatable");
    return paint.bad(
      [
        "something else",
        ...(stage === "" ? [] : [stageText(stage, field(verdict, "isFirst") === true)]),
        ...(repeatable === true ? ["and that again when it is repeated"] : []),
        ...(repeatable === false ? ["and yet something else when it is repeated: it is not deterministic"] : []),
      ].join(", "),
    );
  }
  const [reason, detail] = [textIn(verdict, "reason"), textIn(verdict, "detail")];
  if (isCommand && reason === "not_shared") return paint.careful("not executed: it runs no commands for others (work.actions)");
  return paint.careful(
    NOT_EXECUTED[reason] ?? `not executed: ${reason.replaceAll("_", " ")}${detail === "" ? "" : `: ${harmless(detail)}`}`,
  );
}

function actionText(action: string): string {
  return action === "" ? "" : `action ${action.slice(0, SHOWN)}…`;
}

function stageText(stage: string, isFirst: boolean): string {
  return isFirst ? `the ${stage} is the first to differ` : `the ${stage} differs (earlier stages could not be compared)`;
}

/** What became of a result that does not come out again. */
function advice(raw: unknown): string[] {
  if (textIn(field(raw, "here"), "kind") !== "differs") return [];
  if (field(raw, "isCommand") === true) return commandAdvice(raw);
  if (field(raw, "isOthers") !== true) return ["  it was executed here before: look for times, paths or random numbers in what it makes"];
  return ["  it was somebody else's and is taken back, here and where others hold it: build again what was made of it"];
}

function commandAdvice(raw: unknown): string[] {
  const isTakenBack = field(raw, "isOthers") === true;
  const isRefuted = isTakenBack && field(field(raw, "here"), "repeatable") === true;
  return [
    ...(isTakenBack ? ["  it was somebody else's and is not used any more: run it again, and what was made of it"] : []),
    ...(isRefuted ? [] : ["  what comes of it stays on this machine from now on; cairn verify ends that when it finds the same"]),
  ];
}

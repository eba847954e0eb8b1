/**
 * audit flags: does a build come out the same in other surroundings? No daemon is asked, and nothing of the user's tree is changed.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuditReport, Cause, Finding, Progress, Tool } from "../audit/index.ts";
import { CairnError, compilersDirectory, findCompilers, findOnPath } from "../base/index.ts";
import { answer, type Context } from "./context.ts";
import { counted, indent } from "./format.ts";
import type { Json } from "./network-ask.ts";
import { exitCodes } from "./troubles.ts";

export interface AuditFlagsOptions extends Json {
  readonly keep?: true | undefined;
  readonly tmp?: string | undefined;
}

/** Files that are named for each cause. */
const SHOWN = 5;

export async function auditFlags(
  context: Context,
  command: readonly string[],
  { json, keep, tmp }: AuditFlagsOptions,
  signal: AbortSignal,
): Promise<number> {
  const { terminal, env, cwd } = context;
  const meant = command.length > 0 ? command : usualCommand(cwd);
  const { audit, advice } = await import("../audit/index.ts");
  const tell = (progress: Progress): void => terminal.passing(line(progress));
  try {
    const parts = {
      tools: toolsOf(context),
      environment: env,
      locale: await otherLocale(signal),
      orderSource: join(context.root, "audit/order.c"),
      tell,
    };
    const report = await audit(parts, { cwd, command: meant, temporary: tmp ?? tmpdir(), keep: keep === true }, signal);
    terminal.passing("");
    answer(terminal, json, report.kind === "audited" ? { ...report, findings: advised(report.findings, advice) } : report, () =>
      lines(context, report, advice),
    );
    return report.kind === "audited" && report.findings.length === 0 ? exitCodes.ok : exitCodes.failed;
  } finally {
    terminal.passing("");
  }
}

/** @throws {CairnError} usage where there is nothing usual to do */
function usualCommand(cwd: string): readonly string[] {
  const has = (...names: readonly string[]): boolean => names.some((name) => existsSync(join(cwd, name)));
  if (has("GNUmakefile", "makefile", "Makefile")) return ["make"];
  if (has("CMakeLists.txt")) return ["sh", "-c", "cmake -B build && cmake --build build"];
  if (has("meson.build")) return ["sh", "-c", "meson setup build && ninja -C build"];
  if (has("configure")) return ["sh", "-c", "./configure && make"];
  throw new CairnError("usage", { why: `nothing says how ${cwd} is built; say it: cairn audit flags -- BUILD COMMAND` });
}

function toolsOf({ env, home }: Context): Tool[] {
  const compilers = findCompilers(env, compilersDirectory(home.binDir)).map(({ name, path }) => ({
    name,
    path,
    kind: "compiler" as const,
  }));
  const others = [
    ["ar", "archiver"],
    ["gcc-ar", "archiver"],
    ["llvm-ar", "archiver"],
    ["hostname", "names"],
    ["whoami", "names"],
    ["uname", "names"],
    ["id", "names"],
  ] as const;
  const found = others.flatMap(([name, kind]) => {
    const path = findOnPath(name, env);
    return path === undefined ? [] : [{ name, path, kind }];
  });
  return [...compilers, ...found];
}

/** One that sorts and speaks otherwise than C, where this machine has one. */
function otherLocale(signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("locale", ["-a"], { signal, encoding: "utf8" }, (_error, stdout) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const all = (stdout ?? "").split("\n").filter((name) => name !== "");
      const other = all.filter((name) => !/^(?:C|POSIX)\b/.test(name));
      resolve(other.find((name) => !name.startsWith("en")) ?? other[0] ?? all.find((name) => name.startsWith("C.")) ?? "C");
    });
  });
}

function line(progress: Progress): string {
  switch (progress.step) {
    case "copying":
      return `copying ${counted(progress.files, "file")} twice`;
    case "building":
      return `building in the ${progress.which} surroundings: ${counted(progress.calls, "compile")} so far`;
    case "comparing":
      return "comparing what was written";
    case "looking":
      return `looking into ${progress.file} (${progress.done + 1} of ${progress.all})`;
  }
}

function advised(findings: readonly Finding[], advice: (cause: Cause) => string): readonly object[] {
  return findings.map((finding) => ({ ...finding, mend: finding.causes.map(advice) }));
}

function lines(context: Context, report: AuditReport, advice: (cause: Cause) => string): string[] {
  const { paint } = context.terminal;
  if (report.kind === "nothing-built") {
    const why = report.isGit ? "" : "; without git everything is copied: is it built already? clean it first";
    return [`${paint.bad("nothing was built")}: the command ended well, and wrote no file${why}`];
  }
  if (report.kind === "build-failed") {
    const where =
      report.which === "first" ? "the build fails in a copy of the checkout" : "the build fails in the second surroundings only";
    return [
      `${paint.bad(where)}, with exit code ${report.exitCode}; the end of what it printed:`,
      ...indent(report.printed.trimEnd().split("\n").slice(-15)),
    ];
  }
  const { same, findings, more, varied, unvaried, kept, calls } = report;
  const head = findings.length === 0 ? paint.good("all the same") : paint.bad(`${counted(findings.length + more, "file")} not the same`);
  return [
    `${head}: ${counted(same, "file")} came out the same in both builds`,
    ...causeGroups(findings).flatMap((group) => groupLines(context, group, advice)),
    ...derived(context, findings),
    ...(more === 0 ? [] : [`and ${counted(more, "file")} that nobody has looked into: mend these first`]),
    paint.dim(`varied: ${varied.join(", ")}`),
    paint.dim(`not varied: ${unvaried.join("; ")}`),
    ...(calls === 0
      ? [paint.careful("no compiler was heard of: the build calls it by its full path, and stages could not be looked at")]
      : []),
    ...(kept === "" ? [] : [`kept in ${kept}`]),
  ];
}

/** Findings that have a cause of their own: those with the same causes together, and of them those apart for which what helps was tried. */
function causeGroups(findings: readonly Finding[]): Finding[][] {
  const own = findings.filter(({ because }) => because.length === 0);
  return [...Map.groupBy(own, ({ causes, isTried }) => JSON.stringify([causes, isTried])).values()];
}

function groupLines({ terminal: { paint } }: Context, group: readonly Finding[], advice: (cause: Cause) => string): string[] {
  const [first] = group;
  const tried = first?.isTried === true ? paint.good(" (tried: they come out the same)") : "";
  return [
    "",
    `${paint.bold((first?.causes ?? []).join(" + "))}: ${counted(group.length, "file")}`,
    ...group.slice(0, SHOWN).flatMap((finding) => indent(findingLines(finding, paint))),
    ...(group.length > SHOWN ? indent([paint.dim(`and ${counted(group.length - SHOWN, "other")}`)]) : []),
    ...indent((first?.causes ?? []).map((one) => `${paint.name("mend")}  ${advice(one)}${tried}`)),
  ];
}

function findingLines({ file, stage, sample }: Finding, paint: Context["terminal"]["paint"]): string[] {
  const where = sample === undefined || sample.where === "" ? "" : ` ${paint.dim(sample.where)}`;
  const texts = sample === undefined ? [] : [sample.first, sample.second].filter((text) => text !== "");
  return [`${file}  ${paint.dim(`first in the ${stage}`)}${where}`, ...indent(texts.map((text) => paint.dim(text)))];
}

function derived({ terminal: { paint } }: Context, findings: readonly Finding[]): string[] {
  const made = findings.filter(({ because }) => because.length > 0);
  if (made.length === 0) return [];
  return [
    "",
    `${paint.bold("only because of what they are made of")}: ${counted(made.length, "file")}`,
    ...indent(
      made
        .slice(0, SHOWN)
        .map(({ file, because }) => `${file}  ${paint.dim(`of ${because.slice(0, 2).join(", ")}${because.length > 2 ? ", …" : ""}`)}`),
    ),
    ...(made.length > SHOWN ? indent([paint.dim(`and ${counted(made.length - SHOWN, "other")}`)]) : []),
    "",
  ];
}

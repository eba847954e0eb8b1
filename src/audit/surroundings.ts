/**
 * Two surroundings for one build, as different as they can be made without anybody's help.
 */
import { basename, join } from "node:path";
import type { Environment } from "../base/index.ts";
import type { Tool } from "./recorder.ts";

export interface Surroundings {
  readonly name: "first" | "second";
  /** Where the copy of the project lies. */
  readonly root: string;
  /** As chmod takes it. */
  readonly umask: string;
  /** What is set besides what the user has set. */
  readonly variables: Readonly<Record<string, string>>;
  /** What hostname, whoami and uname -n answer; "": what they always do. */
  readonly person: string;
}

/** They are 26 hours apart: whatever time it is, the dates differ. */
const ZONES = ["EAST-14", "WEST12"] as const;
/** What programs call them, by name and by offset. */
export const zoneNames = ["EAST", "WEST", "+1400", "-1200"] as const;

export function twoSurroundings(
  temporary: string,
  project: string,
  environment: Environment,
  locale: string,
): readonly [Surroundings, Surroundings] {
  const base = basename(project) || "project";
  const jobs = (count: number): Record<string, string> => ({
    MAKEFLAGS: `${environment.MAKEFLAGS ?? ""} -j${count}`.trim(),
    CMAKE_BUILD_PARALLEL_LEVEL: String(count),
  });
  const who = (name: string): Record<string, string> => ({ USER: name, LOGNAME: name, HOSTNAME: `${name}-machine` });
  return [
    {
      name: "first",
      root: join(temporary, "a", base),
      umask: "022",
      person: "",
      variables: { ...jobs(1), TZ: ZONES[0], LC_ALL: "C", LANG: "C" },
    },
    {
      name: "second",
      root: join(temporary, "somewhere", "else", base),
      umask: "027",
      person: "somebody",
      variables: { ...jobs(4), ...who("somebody"), TZ: ZONES[1], LC_ALL: locale, LANG: locale },
    },
  ];
}

/** What differs between the two, in words, and what could not be made to. */
export function whatVaries(
  locale: string,
  tools: readonly Tool[],
  isOrderVaried: boolean,
): { readonly varied: string[]; readonly unvaried: string[] } {
  const hasNames = tools.some(({ kind }) => kind === "names");
  const isLocale = !/^C\b/.test(locale);
  const varied = ["path", "time", "time zone", "umask", "number of jobs", "user and host names"];
  return {
    varied: [...varied, ...(isOrderVaried ? ["order in directories"] : []), ...(isLocale ? ["locale"] : [])],
    unvaried: [
      "the date in UTC",
      ...(isLocale ? [] : ["locale: this machine has none but C"]),
      ...(isOrderVaried ? [] : ["order in directories"]),
      ...(hasNames ? [] : ["names that programs ask the system for"]),
    ],
  };
}

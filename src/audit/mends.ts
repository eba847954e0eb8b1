/**
 * What makes a compile come out the same, found by trying: each mend is applied to both, alone and with others.
 */
import type { Cause } from "./causes.ts";
import { type Question, repeat } from "./commands.ts";
import type { Call } from "./recorder.ts";

export interface Mend {
  readonly cause: Cause;
  readonly question: (root: string, output: string) => Question;
}

/** What is most likely needed comes last: it is left away last. */
const MENDS: readonly Mend[] = [
  { cause: "time zone", question: () => ({ args: [], environment: { TZ: "UTC" } }) },
  { cause: "locale", question: () => ({ args: [], environment: { LC_ALL: "C" } }) },
  { cause: "random seed", question: (_root, output) => ({ args: [`-frandom-seed=${output}`], environment: {} }) },
  { cause: "date and time", question: () => ({ args: [], environment: { SOURCE_DATE_EPOCH: "1" } }) },
  { cause: "build path", question: (root) => ({ args: [`-ffile-prefix-map=${root}=.`], environment: {} }) },
];

/** The same compile in both builds. */
export interface Pair {
  /** Relative to the roots. */
  readonly output: string;
  readonly roots: readonly [string, string];
  readonly calls: readonly [Call, Call];
}

export class Mender {
  /** Those that helped before, the latest first: what helps one file often helps the next. */
  #helped: (readonly Mend[])[] = [];

  /** @returns what is needed, nothing where they come out the same by themselves; undefined where nothing helps */
  async causes(pair: Pair, signal: AbortSignal): Promise<readonly Cause[] | undefined> {
    if (await comesOutTheSame(pair, [], signal)) return [];
    for (const mends of this.#helped) if (await comesOutTheSame(pair, mends, signal)) return mends.map(({ cause }) => cause);
    const needed = await fewest(pair, signal);
    if (needed === undefined) return undefined;
    this.#helped = [needed, ...this.#helped];
    return needed.map(({ cause }) => cause);
  }
}

/** The same where nothing helps: what it takes that it comes out the same at one place at least; and then it is the place that matters, too. */
export async function causesWithPlace({ output, roots, calls }: Pair, signal: AbortSignal): Promise<readonly Cause[] | undefined> {
  const here = { output, roots: [roots[0], roots[0]], calls: [calls[0], calls[0]] } as const;
  const needed = await fewest(here, signal);
  return needed && [...new Set<Cause>([...needed.map(({ cause }) => cause), "build path"])];
}

/** The fewest mends with which both come out the same; undefined where there are none. */
async function fewest(pair: Pair, signal: AbortSignal): Promise<readonly Mend[] | undefined> {
  const isSame = (mends: readonly Mend[]): Promise<boolean> => comesOutTheSame(pair, mends, signal);
  if (!(await isSame(MENDS))) return undefined;
  let needed = MENDS;
  for (const mend of MENDS) {
    const without = needed.filter((one) => one !== mend);
    if (await isSame(without)) needed = without;
  }
  return needed;
}

async function comesOutTheSame({ output, roots, calls }: Pair, mends: readonly Mend[], signal: AbortSignal): Promise<boolean> {
  const made = (side: 0 | 1): Promise<Buffer | undefined> => {
    const questions = mends.map(({ question }) => question(roots[side], output));
    const args = questions.flatMap((one) => one.args);
    const environment = Object.assign({}, ...questions.map((one) => one.environment)) as Record<string, string>;
    return repeat(calls[side], { args, environment }, signal);
  };
  const [first, second] = [await made(0), await made(1)]; // They may be one and the same.
  return first !== undefined && second !== undefined && first.equals(second);
}

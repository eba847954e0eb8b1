/**
 * Prefix maps (-ffile-prefix-map=OLD=NEW and the like) where OLD is a place of the checkout. Compilers compare text: with /w/p as OLD they shorten
 * /w/p-common as well, which in a checkout of another name they would not.
 *
 * Knows: text. Does not know: which names reach an output.
 */
import type { Invocation } from "./command.ts";
import type { Places } from "./portable.ts";

/** An absolute path, alone or behind the name of its option. What macros say is not shortened. */
const ABSOLUTE = /^(?!-D)(?:-[BFIL]|-i[a-z]+|--?[\w-]+=)?(\/.*)$/;

/** What options name by an absolute path outside of the checkout. */
export function namedOutside({ keyArgs }: Pick<Invocation, "keyArgs">): string[] {
  return keyArgs.flatMap((word) => ABSOLUTE.exec(word)?.[1] ?? []);
}

/** Whether a name that is the same in every checkout begins in this one, by chance, like a place that is mapped. */
export function isMappedByChance({ mapped }: Pick<Invocation, "mapped">, places: Places, name: string): boolean {
  return mapped.some((portable) => name.startsWith(places.resolve(portable))) && places.portable(name) === name;
}

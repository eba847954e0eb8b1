/**
 * The words of a command that say where headers are looked for.
 */

/**
 * What some options name: in their own word, or in the next one.
 * @param options as a word begins with them
 */
export function namedBy(searchArgs: readonly string[], options: RegExp): string[] {
  return searchArgs.flatMap((word, at) => {
    const option = options.exec(word)?.[0];
    if (option === undefined) return [];
    return word === option ? (searchArgs[at + 1] ?? "") : word.slice(option.length);
  });
}

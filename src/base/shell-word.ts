/**
 * How a word is given to a shell.
 */

/** @returns the text itself where a shell takes it as it is */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

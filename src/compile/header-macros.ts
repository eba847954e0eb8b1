/**
 * Macros that stand for the name of a header: `#define CONFIG_FILE "config.h"`, for `#include CONFIG_FILE`.
 */
import { joinedLines, textOf, utf8Of } from "./scan-text.ts";

export interface HeaderMacro {
  readonly name: string;
  readonly form: "quote" | "angle";
  readonly header: string;
}

const DEFINITION = /^[ \t]*#[ \t]*define[ \t]+([A-Za-z_]\w*)[ \t]+(?:"([^"\n]+)"|<([^>\n]+)>)/gm;
const OPTION = /^-D([A-Za-z_]\w*)=(?:"([^"\n]+)"|<([^>\n]+)>)$/;

/** In whatever branch. */
export function headerMacros(content: Buffer): HeaderMacro[] {
  const macros: HeaderMacro[] = [];
  for (const [, name = "", quoted, angled] of joinedLines(textOf(content)).matchAll(DEFINITION)) {
    const header = utf8Of(quoted ?? angled ?? "");
    if (header !== undefined) macros.push({ name, form: quoted === undefined ? "angle" : "quote", header });
  }
  return macros;
}

/** @param defines -D and -U of a command line, joined */
export function headerMacrosOf(defines: readonly string[]): HeaderMacro[] {
  return defines.flatMap((define) => {
    const [, name, quoted, angled] = OPTION.exec(define) ?? [];
    return name === undefined ? [] : [{ name, form: quoted === undefined ? "angle" : "quote", header: quoted ?? angled ?? "" }];
  });
}

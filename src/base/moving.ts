/**
 * Texts that move with a checkout: a zero byte, which no text of a command has, stands where the checkout's root stood. docs/protocol/hot-record.md.
 *
 * Knows: text. Does not know: which texts are paths; who moves a text that may mean something else makes sure that this does not matter.
 */

export const ROOT_MARK = "\0";

/** What goes on with a name behind it: the root's own is then only a part of another. */
const GOES_ON = /[A-Za-z0-9_.~+\-\u0080-\uffff]/;

/**
 * The text with a mark in the place of each root, left to right.
 *
 * @param root absolute, without a trailing slash
 */
export function withoutRoot(text: string, root: string): string {
  let moved = "";
  let from = 0;
  for (let at = text.indexOf(root); at >= 0; at = text.indexOf(root, at)) {
    const behind = at + root.length;
    if (behind < text.length && GOES_ON.test(text.charAt(behind))) {
      at += 1;
      continue;
    }
    moved += text.slice(from, at) + ROOT_MARK;
    from = at = behind;
  }
  return moved + text.slice(from);
}

/** What options, make or lists of paths may take for more than a part of a name. */
const UNFIT = /[$# \t=:]/;
/** Where compilers come from, and look for headers by themselves: one of a checkout's directories might be one of theirs. */
const OF_PACKAGES = ["/bin", "/gnu", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/opt", "/sbin", "/usr"] as const;

/** Whether what is made in one checkout may be used in one with that root: docs/protocol/hot-record.md. */
export function isFitRoot(root: string): boolean {
  return !UNFIT.test(root) && !OF_PACKAGES.some((place) => `${root}/`.startsWith(`${place}/`) || place.startsWith(root));
}

/** What such a text says where the root is another. */
export function withRoot(text: string, root: string): string {
  return text.replaceAll(ROOT_MARK, () => root);
}

/**
 * Changes of a source tree, drawn by chance: edits of texts, and everything that people and tools do to files.
 *
 * Knows: trees. Does not know: disks, compilers, whether a change matters.
 */
import { dirname, normalize, relative } from "node:path/posix";
import { edits } from "./fuzz-edits.ts";
import type { Project } from "./fuzz-projects.ts";
import type { Chance, Weighted } from "./fuzz-random.ts";
import { type FileNode, fileNode, type Node, type Tree, type Writing } from "./fuzz-tree.ts";

export interface Changed {
  readonly tree: Tree;
  /** For people. */
  readonly what: string;
}

export interface Scene {
  readonly project: Project;
  readonly tree: Tree;
  /** Earlier trees, the oldest first. */
  readonly history: readonly Tree[];
  /** The source that is compiled these days. */
  readonly source: string;
}

type Change = (scene: Scene, chance: Chance) => Changed | undefined;

const WRITINGS: readonly Weighted<Writing>[] = [
  [6, "inPlace"],
  [3, "rename"],
  [2, "unlink"],
];

const CHANGES: readonly Weighted<Change>[] = [
  [34, editText],
  [16, revertAll],
  [10, revertFile],
  [6, touch],
  [3, sameSize],
  [5, appearEarlier],
  [3, disappear],
  [3, move],
  [2, directoryInPlace],
  [3, linkInPlace],
  [2, retarget],
  [1, precompiled],
  [2, changeData],
  [2, moveCode],
  [2, secondCopy],
];

/** One change; its drawing is repeated until one is found that applies. */
export function change(scene: Scene, chance: Chance): Changed {
  for (let attempts = 0; attempts < 50; attempts++) {
    const changed = chance.draw(CHANGES)(scene, chance);
    if (changed !== undefined) return changed;
  }
  return { tree: scene.tree, what: "nothing" };
}

function changedTree(scene: Scene, changes: Readonly<Record<string, Node | undefined>>, what: string): Changed {
  const tree = new Map(scene.tree);
  for (const [path, node] of Object.entries(changes)) {
    if (node === undefined) tree.delete(path);
    else tree.set(path, node);
  }
  return { tree, what };
}

/** A file that is likely to matter: the source at hand half of the time, else a header. */
function textFile({ tree, source }: Scene, chance: Chance): readonly [string, FileNode] | undefined {
  const near = tree.get(source);
  if (near?.kind === "file" && chance.percent(45)) return [source, near];
  const path = chance.pick([...tree.keys()].filter((name) => /\.(h|hh|hpp|inc|def|c|cc|cpp|S)$/.test(name)));
  const node = tree.get(path);
  return node?.kind === "file" ? [path, node] : undefined;
}

function header({ tree }: Scene, chance: Chance): readonly [string, FileNode] | undefined {
  const names = [...tree.keys()].filter((name) => /\.(h|hh|hpp)$/.test(name) && tree.get(name)?.kind === "file");
  if (names.length === 0) return undefined;
  const path = chance.pick(names);
  const node = tree.get(path);
  return node?.kind === "file" ? [path, node] : undefined;
}

function editText(scene: Scene, chance: Chance): Changed | undefined {
  const found = textFile(scene, chance);
  if (found === undefined) return undefined;
  const [path, node] = found;
  const text = node.content.toString("utf8");
  const edit = chance.draw(edits);
  const edited = edit.apply(text, chance);
  if (edited === undefined || !Buffer.from(text).equals(node.content)) return undefined;
  return changedTree(scene, { [path]: fileNode(edited, chance.draw(WRITINGS)) }, `${edit.name}: ${path}`);
}

/** An earlier tree, or the first. */
export function backTo(scene: Scene, chance: Chance): Changed {
  return revertAll(scene, chance) ?? { tree: scene.project.tree, what: "go back to the first tree" };
}

function revertAll(scene: Scene, chance: Chance): Changed | undefined {
  if (scene.history.length === 0) return undefined;
  const back = chance.percent(50) ? Math.max(0, scene.history.length - 1 - chance.below(3)) : chance.below(scene.history.length);
  const tree = scene.history[back];
  return tree === undefined ? undefined : { tree, what: `go back to tree ${back} of ${scene.history.length}` };
}

function revertFile(scene: Scene, chance: Chance): Changed | undefined {
  if (scene.history.length === 0) return undefined;
  const earlier = chance.pick(scene.history);
  const different = [...new Set([...earlier.keys(), ...scene.tree.keys()])].filter((path) => earlier.get(path) !== scene.tree.get(path));
  if (different.length === 0) return undefined;
  const path = chance.pick(different);
  const node = earlier.get(path);
  return changedTree(scene, { [path]: node?.kind === "file" ? { ...node } : node }, `bring back an earlier ${path}`);
}

function touch(scene: Scene, chance: Chance): Changed | undefined {
  const found = textFile(scene, chance);
  if (found === undefined) return undefined;
  const how = chance.draw<Writing>([
    [4, "inPlace"],
    [2, "rename"],
    [1, "unlink"],
    [1, "sameTime"],
  ]);
  return changedTree(scene, { [found[0]]: { ...found[1], how } }, `touch ${found[0]} (${how})`);
}

/** Another content of the same size, its time set back. */
function sameSize(scene: Scene, chance: Chance): Changed | undefined {
  const found = textFile(scene, chance);
  if (found === undefined) return undefined;
  const [path, node] = found;
  const content = Buffer.from(node.content);
  const digits = [...content.keys()].filter((at) => /[0-9]/.test(String.fromCharCode(content[at] ?? 0)));
  if (digits.length === 0) return undefined;
  const at = chance.pick(digits);
  content[at] = 0x30 + (((content[at] ?? 0x30) - 0x30 + 1) % 10);
  const how = chance.pick<Writing>(["backdated", "inPlace"]);
  return changedTree(scene, { [path]: fileNode(content, how) }, `another digit in ${path} (${how})`);
}

function appearEarlier(scene: Scene, chance: Chance): Changed | undefined {
  const found = header(scene, chance);
  if (found === undefined) return undefined;
  const [path, node] = found;
  const name = chance.percent(70) ? path.slice(path.lastIndexOf("/") + 1) : path.slice(path.indexOf("/") + 1);
  const directory = chance.pick([...scene.project.includes, dirname(scene.source), "src", "early"]);
  const at = chance.percent(15) ? "inc/opt.h" : normalize(`${directory}/${name}`);
  if (scene.tree.has(at) || parentIsNoDirectory(scene.tree, at)) return undefined;
  const twist = chance.pick(["", "#define LIMIT 77\n", "#error found\n", "/* twist */\n", "#define UTIL 9\n"]);
  return changedTree(
    scene,
    { [at]: fileNode(Buffer.concat([Buffer.from(twist), node.content])) },
    `${at} appears, from ${path} with ${JSON.stringify(twist)}`,
  );
}

function parentIsNoDirectory(tree: Tree, path: string): boolean {
  for (let at = dirname(path); at !== "."; at = dirname(at)) {
    const node = tree.get(at);
    if (node !== undefined && node.kind !== "directory") return true;
  }
  return [...tree.keys()].some((name) => name.startsWith(`${path}/`));
}

function disappear(scene: Scene, chance: Chance): Changed | undefined {
  const found = header(scene, chance);
  return found && changedTree(scene, { [found[0]]: undefined }, `${found[0]} disappears`);
}

function move(scene: Scene, chance: Chance): Changed | undefined {
  const found = header(scene, chance);
  if (found === undefined) return undefined;
  const [path, node] = found;
  const to = normalize(`${chance.pick(scene.project.includes)}/${path.slice(path.lastIndexOf("/") + 1)}`);
  if (scene.tree.has(to) || parentIsNoDirectory(scene.tree, to)) return undefined;
  return changedTree(scene, { [path]: undefined, [to]: { ...node } }, `${path} moves to ${to}`);
}

function directoryInPlace(scene: Scene, chance: Chance): Changed | undefined {
  const found = header(scene, chance);
  if (found === undefined) return undefined;
  const name = found[0].slice(found[0].lastIndexOf("/") + 1);
  const at = chance.percent(70) ? `early/${name}` : normalize(`${dirname(scene.source)}/${name}${chance.percent(20) ? ".gch" : ""}`);
  if (scene.tree.has(at)) return undefined;
  return changedTree(scene, { [at]: { kind: "directory" } }, `a directory ${at}`);
}

function linkInPlace(scene: Scene, chance: Chance): Changed | undefined {
  const found = header(scene, chance);
  if (found === undefined) return undefined;
  const [path, node] = found;
  const kept = `kept/${path.replaceAll("/", "-")}`;
  const to = relative(dirname(path), kept);
  return changedTree(scene, { [kept]: { ...node }, [path]: { kind: "link", to } }, `${path} becomes a link to ${kept}`);
}

function retarget(scene: Scene, chance: Chance): Changed | undefined {
  const links = [...scene.tree].filter(([, node]) => node.kind === "link");
  const found = header(scene, chance);
  if (links.length === 0 || found === undefined) return undefined;
  const [path] = chance.pick(links);
  const to = path === "inclink" ? chance.pick(["inc2", "inc", "early", "nowhere"]) : relative(dirname(path), found[0]);
  return changedTree(scene, { [path]: { kind: "link", to } }, `${path} leads to ${to} now`);
}

function precompiled(scene: Scene, chance: Chance): Changed | undefined {
  const found = header(scene, chance);
  if (found === undefined) return undefined;
  return changedTree(scene, { [`${found[0]}.gch`]: fileNode("not a precompiled header") }, `${found[0]}.gch appears`);
}

function changeData(scene: Scene, chance: Chance): Changed | undefined {
  const at = "data/blob.bin";
  if (!scene.tree.has(at)) return undefined;
  return changedTree(scene, { [at]: fileNode(`data ${chance.below(5)}`, chance.draw(WRITINGS)) }, `${at} changes`);
}

/** The last lines of one file go to the end of another. */
function moveCode(scene: Scene, chance: Chance): Changed | undefined {
  const [from, to] = [textFile(scene, chance), textFile(scene, chance)];
  if (from === undefined || to === undefined || from[0] === to[0]) return undefined;
  const lines = from[1].content.toString("latin1").split("\n");
  const kept = Math.max(0, lines.length - 2 - chance.below(2));
  const moved = Buffer.from(lines.slice(kept).join("\n"), "latin1");
  const rest = Buffer.from(`${lines.slice(0, kept).join("\n")}\n`, "latin1");
  return changedTree(
    scene,
    { [from[0]]: fileNode(rest), [to[0]]: fileNode(Buffer.concat([to[1].content, moved])) },
    `code moves from ${from[0]} to ${to[0]}`,
  );
}

/** The same header twice, of the same age or not: what `#pragma once` takes for one file. */
function secondCopy(scene: Scene, chance: Chance): Changed | undefined {
  const once = scene.tree.get("inc/once.h");
  if (once?.kind !== "file") return undefined;
  const how = chance.pick<Writing>(["sameTime", "inPlace"]);
  return changedTree(
    scene,
    { "inc/once.h": { ...once, how }, "src/once.h": chance.percent(70) ? { ...once, how } : { kind: "link", to: "../inc/once.h" } },
    `a second once.h (${how})`,
  );
}

/**
 * completion: scripts for bash, zsh and fish, made from the commands themselves, so that they never lag behind.
 */

export interface CompletedCommand {
  readonly name: string;
  readonly about: string;
  /** `--json`, `--zero` … */
  readonly options: readonly string[];
  /** Subcommands or fixed arguments. */
  readonly words: readonly string[];
  /** `files`, or `command` for those that take another command line. */
  readonly rest: "files" | "command" | "nothing";
}

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  switch (shell) {
    case "bash":
      return bash(commands);
    case "zsh":
      return zsh(commands);
    case "fish":
      return fish(commands);
  }
}

function bash(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, options, words, rest }) => {
    const choices = [...words, ...options].join(" ");
    const then = rest === "files" ? "compopt -o default" : ":";
    return rest === "command"
      ? `    ${name}) if declare -F _command_offset >/dev/null; then _command_offset 2; else COMPREPLY=($(compgen -c -- "$word")); fi ;;`
      : `    ${name}) COMPREPLY=($(compgen -W "${choices}" -- "$word")); ${then} ;;`;
  });
  return [
    '# bash completion for cairn:  eval "$(cairn completion bash)"',
    "_cairn() {",
    '  local word="${COMP_WORDS[COMP_CWORD]}"',
    "  COMPREPLY=()",
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W "${[...commands.map(({ name }) => name), "--help", "--version"].join(" ")}" -- "$word"))`,
    "    return",
    "  fi",
    '  case "${COMP_WORDS[1]}" in',
    ...cases,
    "  esac",
    "}",
    "complete -F _cairn cairn",
  ].join("\n");
}

function zsh(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, options, words, rest }) => {
    if (rest === "command") return `    ${name}) shift words; (( CURRENT-- )); _normal ;;`;
    const files = rest === "files" ? "; _files" : "";
    return `    ${name}) compadd -- ${[...words, ...options].join(" ")}${files} ;;`;
  });
  return [
    "#compdef cairn",
    '# zsh completion for cairn:  eval "$(cairn completion zsh)"',
    "_cairn() {",
    "  local -a commands",
    "  commands=(",
    ...commands.map(({ name, about }) => `    '${name}:${about.replaceAll("'", "'\\''").replaceAll(":", "\\:")}'`),
    "  )",
    "  if (( CURRENT == 2 )); then",
    "    _describe command commands",
    "    return",
    "  fi",
    '  case "$words[2]" in',
    ...cases,
    "  esac",
    "}",
    "compdef _cairn cairn",
  ].join("\n");
}

function fish(commands: readonly CompletedCommand[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap(({ name, about, options, words, rest }) => {
    const here = `complete -c cairn -n '__fish_seen_subcommand_from ${name}'`;
    return [
      `complete -c cairn -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`,
      ...options.map((option) => `${here} -l ${option.replace(/^--/, "")}`),
      ...(words.length === 0 ? [] : [`${here} -a ${quoted(words.join(" "))}`]),
      ...(rest === "files" ? [`${here} -F`] : []),
      ...(rest === "command" ? [`${here} -xa '(__fish_complete_subcommand --fcs-skip=2)'`] : []),
    ];
  });
  return ["# fish completion for cairn:  cairn completion fish | source", "complete -c cairn -f", ...lines].join("\n");
}

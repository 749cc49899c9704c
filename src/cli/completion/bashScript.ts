import { shellWord } from "../../util/shellQuote.ts";
import type { CommandModel } from "../commandModel.ts";
import { type CompletionTables, completionTables } from "./completionTables.ts";

/** The completion script of bash, 3.2 and later; it needs no package beside bash. */
export function bashScript(program: CommandModel): string {
  const tables = completionTables(program);
  return `# Completion of spacktainers for bash, made by \`spacktainers completion bash\`.
${shellTables(tables, ({ word }) => word)}
_spacktainers() {
  local line=\${COMP_LINE:0:COMP_POINT} words=() at= value= ended= position=0 directory=. i word
  # Bash breaks words at : and =, too; here they are whole.
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local last=$((\${#words[@]} - 1))
  local current=\${words[last]} answer=
  for ((i = 1; i < last; i++)); do
    word=\${words[i]}
    if [[ -n $ended ]]; then
      continue
    elif [[ -n $value ]]; then
      [[ $value == -C || $value == --directory ]] && directory=$word
      value=
    else
      case $word in
        --) ended=1 ;;
        --directory=*) directory=\${word#*=} ;;
        -*) _spacktainers_value "$at" "$word" >/dev/null && value=$word ;;
        *)
          if ((position == 0)) && [[ $'\\n'$(_spacktainers_commands "$at")$'\\n' == *$'\\n'"$word"$'\\n'* ]]; then
            at=\${at:+$at }$word
          else
            ((position++))
          fi
          ;;
      esac
    fi
  done
  COMPREPLY=()
  if [[ -n $ended ]]; then
    answer=@files
  elif [[ -n $value ]]; then
    answer=$(_spacktainers_value "$at" "$value")
  elif [[ $current == --*=* ]]; then
    answer=$(_spacktainers_value "$at" "\${current%%=*}")
    current=\${current#*=}
  elif [[ $current == -* ]]; then
    answer=$(_spacktainers_options "$at")
  else
    answer=$(_spacktainers_argument "$at" "$position")
    if ((position == 0)); then
      COMPREPLY=($(compgen -W "$(_spacktainers_commands "$at")" -- "$current"))
    fi
  fi
  case $answer in
    @files) _spacktainers_files -f "$current" ;;
    @folders) _spacktainers_files -d "$current" ;;
    @*)
      local IFS=$'\\n'
      COMPREPLY+=($(compgen -W "$("\${words[0]}" -C "$directory" names "\${answer#@}" 2>/dev/null)" -- "$current"))
      ((\${#COMPREPLY[@]} == 0)) && _spacktainers_files -f "$current"
      ;;
    ?*) COMPREPLY+=($(compgen -W "$answer" -- "$current")) ;;
  esac
  # What bash takes for the word begins after the last : or =.
  local before=\${current%"\${current##*[:=]}"}
  if [[ -n $before && $COMP_WORDBREAKS == *:* ]]; then
    COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  fi
  # What ends with a colon goes on.
  [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
  return 0
}

_spacktainers_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen "$1" -- "$2"))
}

complete -F _spacktainers spacktainers
`;
}

/** The tables as functions that bash and zsh read; those of values and arguments fail where there is nothing to complete. */
export function shellTables(
  { commands, options, values, arguments: positions }: CompletionTables,
  line: (proposal: { readonly word: string; readonly description: string }) => string,
): string {
  const list = (name: string, rows: CompletionTables["commands"]): string =>
    [
      `_spacktainers_${name}() {`,
      "  case $1 in",
      ...rows.map(
        ({ path, proposals }) =>
          `    ${shellWord(path)}) printf '%s\\n' ${proposals.map((each) => shellWord(line(each))).join(" ")} ;;`,
      ),
      "  esac",
      "}",
    ].join("\n");
  const answers = (name: string, rows: CompletionTables["values"]): string =>
    [
      `_spacktainers_${name}() {`,
      '  case "$1 $2" in',
      ...rows.map(
        ({ keys, answer }) =>
          `    ${keys.map(pattern).join(" | ")}) ${answer === "" ? ":" : `printf '%s\\n' ${shellWord(answer)}`} ;;`,
      ),
      "    *) return 1 ;;",
      "  esac",
      "}",
    ].join("\n");
  return [
    list("commands", commands),
    list("options", options),
    answers("value", values),
    answers("argument", positions),
    "",
  ].join("\n");
}

/** A key with `*` at its end or its beginning, as a pattern of a shell. */
function pattern(key: string): string {
  if (key.startsWith("* ")) return `*${shellWord(key.slice(1))}`;
  return key.endsWith(" *") ? `${shellWord(key.slice(0, -1))}*` : shellWord(key);
}

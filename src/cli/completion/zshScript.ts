import type { CommandModel } from "../commandModel.ts";
import { shellTables } from "./bashScript.ts";
import { completionTables } from "./completionTables.ts";

/** The completion script of zsh: for a file `_spacktainers` in `fpath`, or to be sourced after `compinit`. */
export function zshScript(program: CommandModel): string {
  const described = ({
    word,
    description,
  }: {
    readonly word: string;
    readonly description: string;
  }): string => `${word.replaceAll(":", "\\:")}:${description}`;
  return `#compdef spacktainers
# Completion of spacktainers for zsh, made by \`spacktainers completion zsh\`.
${shellTables(completionTables(program), described)}
_spacktainers() {
  local at= value= ended= directory=. current=\${words[CURRENT]} answer= word
  local -i position=0 i
  local -a proposals
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    if [[ -n $ended ]]; then
      continue
    elif [[ -n $value ]]; then
      [[ $value == -C || $value == --directory ]] && directory=\${(Q)word}
      value=
    else
      case $word in
        --) ended=1 ;;
        --directory=*) directory=\${(Q)\${word#*=}} ;;
        -*) _spacktainers_value "$at" "$word" >/dev/null && value=$word ;;
        *)
          proposals=("\${(@f)$(_spacktainers_commands "$at")}")
          if ((position == 0)) && [[ -n $word && -n \${(M)proposals:#$word:*} ]]; then
            at=\${at:+$at }$word
          else
            position+=1
          fi
          ;;
      esac
    fi
  done
  if [[ -n $ended ]]; then
    answer=@files
  elif [[ -n $value ]]; then
    answer=$(_spacktainers_value "$at" "$value")
  elif [[ $current == --*=* ]]; then
    answer=$(_spacktainers_value "$at" "\${current%%=*}")
    compset -P '*='
  elif [[ $current == -* ]]; then
    proposals=("\${(@f)$(_spacktainers_options "$at")}")
    _describe -o option proposals
    return
  else
    answer=$(_spacktainers_argument "$at" "$position")
    proposals=("\${(@f)$(_spacktainers_commands "$at")}")
    ((position == 0)) && [[ -n $proposals ]] && _describe command proposals
  fi
  case $answer in
    @files) _files ;;
    @folders) _files -/ ;;
    @*)
      proposals=(\${(f)"$(_call_program names \${words[1]} -C \${(q)directory} names \${answer#@} 2>/dev/null)"})
      compadd -a proposals || _files
      ;;
    ?*:) compadd -S '' -- \${=answer} ;;
    ?*) compadd -- \${=answer} ;;
  esac
}

if [[ $funcstack[1] == _spacktainers ]]; then
  _spacktainers "$@"
else
  compdef _spacktainers spacktainers
fi
`;
}

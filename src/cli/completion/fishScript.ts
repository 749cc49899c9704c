import type { CommandModel } from "../commandModel.ts";
import { type CompletionTables, completionTables } from "./completionTables.ts";

/** The completion script of fish, 3.1 and later. */
export function fishScript(program: CommandModel): string {
  const { commands, options, values, arguments: positions } = completionTables(program);
  return `# Completion of spacktainers for fish, made by \`spacktainers completion fish\`.
${list("commands", commands)}
${list("options", options)}
${answers("value", values)}
${answers("argument", positions)}
function __spacktainers_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l at
    set -l value
    set -l ended
    set -l directory .
    set -l position 0
    set -l answer
    for word in $words[2..-1]
        if test -n "$ended"
            continue
        else if test -n "$value"
            contains -- $value -C --directory; and set directory $word
            set value
        else
            switch $word
                case --
                    set ended 1
                case '--directory=*'
                    set directory (string replace -- --directory= '' $word)
                case '-*'
                    __spacktainers_value "$at" $word >/dev/null; and set value $word
                case '*'
                    if test $position -eq 0; and contains -- $word (__spacktainers_commands "$at" | string replace -r '\\t.*' '')
                        set at (string trim -- "$at $word")
                    else
                        set position (math $position + 1)
                    end
            end
        end
    end
    set -l before
    if test -n "$ended"
        set answer @files
    else if test -n "$value"
        set answer (__spacktainers_value "$at" $value)
    else if string match -q -- '--*=*' $current
        set before (string replace -r '=.*' '=' -- $current)
        set answer (__spacktainers_value "$at" (string replace -r '=.*' '' -- $current))
        set current (string replace -r '^[^=]*=' '' -- $current)
    else if string match -q -- '-*' $current
        __spacktainers_options "$at"
        return
    else
        test $position -eq 0; and __spacktainers_commands "$at"
        set answer (__spacktainers_argument "$at" $position)
    end
    switch "$answer"
        case @files
            __spacktainers_files "$before" "$current"
        case @folders
            __spacktainers_files "$before" "$current" | string match -- '*/'
        case '@*'
            set -l names ($words[1] -C $directory names (string sub -s 2 -- $answer) 2>/dev/null)
            if string match -q -- "$current*" $names
                printf '%s\\n' "$before"$names
            else
                __spacktainers_files "$before" "$current"
            end
        case '*'
            test -n "$answer"; and printf '%s\\n' "$before"(string split -- ' ' $answer)
    end
end

function __spacktainers_files
    for file in (complete -C "'' $argv[2]" | string replace -r '\\t.*' '')
        printf '%s\\n' "$argv[1]$file"
    end
end

complete -c spacktainers -e
complete -c spacktainers -f -a '(__spacktainers_complete)'
`;
}

function list(name: string, rows: CompletionTables["commands"]): string {
  return [
    `function __spacktainers_${name}`,
    '    switch "$argv[1]"',
    ...rows.flatMap(({ path, proposals }) => [
      `        case ${quote(path)}`,
      `            printf '%s\\t%s\\n' ${proposals.flatMap(({ word, description }) => [quote(word), quote(description)]).join(" ")}`,
    ]),
    "    end",
    "end\n",
  ].join("\n");
}

function answers(name: string, rows: CompletionTables["values"]): string {
  return [
    `function __spacktainers_${name}`,
    '    switch "$argv[1] $argv[2]"',
    ...rows.flatMap(({ keys, answer }) => [
      `        case ${keys.map(quote).join(" ")}`,
      answer === "" ? "            true" : `            printf '%s\\n' ${quote(answer)}`,
    ]),
    "        case '*'",
    "            return 1",
    "    end",
    "end\n",
  ].join("\n");
}

/** In single quotes fish knows two escapes; a `*` in a quoted case is a pattern all the same. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

// Asks BuildKit's own Dockerfile front end: one JSON question a line on standard input, one JSON answer a line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type question struct {
	Ask    string   `json:"ask"`
	Text   string   `json:"text"`
	Env    []string `json:"env"`
	Escape string   `json:"escape"`
	Raw    bool     `json:"raw"`
	Paths  []string `json:"paths"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	dec := json.NewDecoder(in)
	for dec.More() {
		var q question
		if err := dec.Decode(&q); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		out.Encode(answer(q))
	}
}

func answer(q question) any {
	switch q.Ask {
	case "parse":
		return parse(q.Text)
	case "word", "words":
		return words(q)
	case "ignore":
		return ignore(q)
	}
	return map[string]any{"error": "what?"}
}

func words(q question) any {
	escape := '\\'
	if q.Escape != "" {
		escape = rune(q.Escape[0])
	}
	lex := shell.NewLex(escape)
	lex.SkipProcessQuotes = q.Raw
	env := shell.EnvsFromSlice(q.Env)
	if q.Ask == "words" {
		w, err := lex.ProcessWords(q.Text, env)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		if w == nil {
			w = []string{}
		}
		return map[string]any{"words": w}
	}
	w, _, err := lex.ProcessWord(q.Text, env)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return map[string]any{"word": w}
}

func ignore(q question) any {
	patterns, err := ignorefile.ReadAll(strings.NewReader(q.Text))
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	pm, err := patternmatcher.New(patterns)
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	ignored := []string{}
	for _, p := range q.Paths {
		m, err := pm.MatchesOrParentMatches(p)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		if m {
			ignored = append(ignored, p)
		}
	}
	return map[string]any{"ignored": ignored}
}

func parse(text string) any {
	result, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	list := []any{}
	for _, node := range result.AST.Children {
		item := map[string]any{"keyword": strings.ToUpper(node.Value), "line": node.StartLine, "endLine": node.EndLine}
		cmd, err := instructions.ParseInstruction(node)
		if err != nil {
			item["error"] = err.Error()
		} else {
			item["is"] = describe(cmd)
		}
		list = append(list, item)
	}
	return map[string]any{"escape": string(result.EscapeToken), "instructions": list}
}

func pairs(list instructions.KeyValuePairs) any {
	out := [][]string{}
	for _, p := range list {
		out = append(out, []string{p.Key, p.Value})
	}
	return out
}

func shellForm(c instructions.ShellDependantCmdLine) map[string]any {
	files := []any{}
	for _, f := range c.Files {
		files = append(files, map[string]any{"name": f.Name, "data": f.Data, "chomp": f.Chomp})
	}
	args := c.CmdLine
	if args == nil {
		args = []string{}
	}
	return map[string]any{"args": args, "shell": c.PrependShell, "files": files}
}

func sources(s instructions.SourcesAndDest) map[string]any {
	contents := []any{}
	for _, f := range s.SourceContents {
		contents = append(contents, map[string]any{"name": f.Path, "data": f.Data, "expand": f.Expand})
	}
	paths := s.SourcePaths
	if paths == nil {
		paths = []string{}
	}
	return map[string]any{"paths": paths, "contents": contents, "dest": s.DestPath}
}

func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

func describe(cmd any) any {
	switch c := cmd.(type) {
	case *instructions.EnvCommand:
		return map[string]any{"pairs": pairs(c.Env)}
	case *instructions.LabelCommand:
		return map[string]any{"pairs": pairs(c.Labels)}
	case *instructions.MaintainerCommand:
		return map[string]any{"text": c.Maintainer}
	case *instructions.AddCommand:
		m := sources(c.SourcesAndDest)
		m["chown"], m["chmod"], m["checksum"], m["exclude"], m["link"] = c.Chown, c.Chmod, c.Checksum, list(c.ExcludePatterns), c.Link
		m["unpack"] = c.Unpack
		m["keepGitDir"] = c.KeepGitDir
		return m
	case *instructions.CopyCommand:
		m := sources(c.SourcesAndDest)
		m["chown"], m["chmod"], m["from"], m["exclude"], m["link"], m["parents"] = c.Chown, c.Chmod, c.From, list(c.ExcludePatterns), c.Link, c.Parents
		return m
	case *instructions.OnbuildCommand:
		return map[string]any{"text": c.Expression}
	case *instructions.WorkdirCommand:
		return map[string]any{"text": c.Path}
	case *instructions.RunCommand:
		m := shellForm(c.ShellDependantCmdLine)
		m["flags"] = list(c.FlagsUsed)
		return m
	case *instructions.CmdCommand:
		return shellForm(c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		return shellForm(c.ShellDependantCmdLine)
	case *instructions.HealthCheckCommand:
		h := c.Health
		return map[string]any{"test": h.Test, "interval": h.Interval, "timeout": h.Timeout, "startPeriod": h.StartPeriod, "startInterval": h.StartInterval, "retries": h.Retries}
	case *instructions.ExposeCommand:
		return map[string]any{"list": c.Ports}
	case *instructions.UserCommand:
		return map[string]any{"text": c.User}
	case *instructions.VolumeCommand:
		return map[string]any{"list": c.Volumes}
	case *instructions.StopSignalCommand:
		return map[string]any{"text": c.Signal}
	case *instructions.ArgCommand:
		out := []any{}
		for _, a := range c.Args {
			if a.Value == nil {
				out = append(out, []string{a.Key})
			} else {
				out = append(out, []string{a.Key, *a.Value})
			}
		}
		return map[string]any{"args": out}
	case *instructions.ShellCommand:
		return map[string]any{"list": c.Shell}
	case *instructions.Stage:
		return map[string]any{"from": c.BaseName, "name": c.Name, "platform": c.Platform}
	}
	return nil
}

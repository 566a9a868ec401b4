package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// dockerfile parses the Dockerfile as a build does, with every warning an error.
func dockerfile(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "docker", "Dockerfile"))
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	var findings []string
	for _, w := range parsed.Warnings {
		findings = append(findings, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, description, _, message string, _ []parser.Range) {
		findings = append(findings, fmt.Sprintf("%s: %s: %s", rule, description, message))
	}})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		return err
	}
	last := stages[len(stages)-1]
	user := ""
	for _, command := range last.Commands {
		if c, ok := command.(*instructions.UserCommand); ok {
			user = c.User
		}
	}
	if user == "" || user == "root" || user == "0" {
		findings = append(findings, "the image runs as root")
	}
	return all(findings)
}

// Command deploy checks what is in the folder deploy with the code of the tools
// that will read it: the Dockerfile with BuildKit's parser and linter, the
// Compose file with Compose's loader, the chart with Helm, which lints and
// renders it, the expressions of the dashboards with Prometheus's parser.
//
//	go run . FOLDER
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
)

// checks are all there are; each returns what it found wrong in the folder.
var checks = []struct {
	name string
	run  func(folder string) error
}{
	{"Dockerfile", dockerfile}, {"Compose file", composeFile}, {"chart", chart}, {"dashboards", dashboards},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "deploy: want the folder to check")
		os.Exit(2)
	}
	log.SetOutput(io.Discard) // Helm tells of every link that it follows
	failed := false
	for _, check := range checks {
		if err := check.run(os.Args[1]); err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "deploy: %s: %v\n", check.name, err)
			continue
		}
		fmt.Printf("deploy: %s: in order\n", check.name)
	}
	if failed {
		os.Exit(1)
	}
}

// all joins what was found.
func all(findings []string) error {
	errs := make([]error, len(findings))
	for i, f := range findings {
		errs[i] = errors.New(f)
	}
	return errors.Join(errs...)
}

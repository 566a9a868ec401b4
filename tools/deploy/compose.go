package main

import (
	"context"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
)

// composeFile loads the Compose file, which checks it against the
// specification's schema and resolves what it refers to.
func composeFile(folder string) error {
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose", "compose.yaml")},
		cli.WithEnv([]string{"COORDINATION_JWT_SECRET=checked", "POSTGRES_PASSWORD=checked"}))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	var findings []string
	for name, service := range project.Services {
		if service.Image == "" && service.Build == nil {
			findings = append(findings, name+" has neither an image nor a build")
		}
		for dependency := range service.DependsOn {
			if _, ok := project.Services[dependency]; !ok {
				findings = append(findings, name+" depends on "+dependency+", which there is not")
			}
		}
	}
	return all(findings)
}

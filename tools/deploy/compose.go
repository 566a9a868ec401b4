package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// composeFile loads the Compose file, which checks it against the
// specification's schema and resolves what it refers to. What is mounted must be
// there: Docker would make an empty folder of it.
func composeFile(folder string) error {
	options, err := cli.NewProjectOptions([]string{filepath.Join(folder, "compose", "compose.yaml")},
		cli.WithEnv([]string{"COORDINATION_JWT_SECRET=checked", "POSTGRES_PASSWORD=checked", "GRAFANA_PASSWORD=checked"}))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	var findings []string
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if _, err := os.Stat(volume.Source); volume.Type == types.VolumeTypeBind && err != nil {
				findings = append(findings, name+" mounts what there is not: "+err.Error())
			}
		}
	}
	return all(findings)
}

package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/firstviscount/platform-coordination/adapters/asyncapi"
	"github.com/firstviscount/platform-coordination/adapters/participants"
	"github.com/firstviscount/platform-coordination/app/config"
	"github.com/firstviscount/platform-coordination/app/templates"
)

// asyncAPI prints the document of the message bus, or writes the schemas of its messages.
func asyncAPI(c config.AsyncAPI, to streams) error {
	if c.Schemas != "" {
		return writeSchemas(c.Schemas)
	}
	builtin, err := templates.Builtin()
	if err != nil {
		return err
	}
	services := slices.DeleteFunc(templates.Services(builtin), func(name string) bool {
		return name == participants.TestService // always simulated: nothing is sent to it
	})
	document, err := asyncapi.Document(services)
	if err != nil {
		return err
	}
	_, err = to.out.Write(document)
	return err
}

func writeSchemas(dir string) error {
	schemas, err := asyncapi.Schemas()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, text := range schemas {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}

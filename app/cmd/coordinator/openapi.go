package main

import (
	"github.com/firstviscount/platform-coordination/adapters/rest"
	"github.com/firstviscount/platform-coordination/app/config"
)

// openAPI prints the document of the API.
func openAPI(c config.OpenAPI, to streams) error {
	document, err := rest.OpenAPI(c.Version)
	if err != nil {
		return err
	}
	_, err = to.out.Write(document)
	return err
}

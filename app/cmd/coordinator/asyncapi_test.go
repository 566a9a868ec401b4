package main

import (
	"os"
	"path/filepath"
	"testing"
)

var openapiDir = filepath.Join("..", "..", "..", "openapi")

func TestAsyncAPIIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	committed, err := os.ReadFile(filepath.Join(openapiDir, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if got := program(t.Context(), nil, "asyncapi"); got.code != exitOK || got.out != string(committed) {
		t.Errorf("openapi/asyncapi.yaml is stale (make openapi); exit %d %s", got.code, got.errs)
	}
}

func TestSchemasAreTheCommittedOnes(t *testing.T) {
	t.Parallel()
	fresh := filepath.Join(t.TempDir(), "schemas")
	if got := program(t.Context(), nil, "asyncapi", "--schemas", fresh); got.code != exitOK || got.out != "" {
		t.Fatalf("exit %d %s%s", got.code, got.out, got.errs)
	}
	for _, pair := range [][2]string{{fresh, filepath.Join(openapiDir, "schemas")}, {filepath.Join(openapiDir, "schemas"), fresh}} {
		files, err := os.ReadDir(pair[0])
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, file := range files {
			one, _ := os.ReadFile(filepath.Join(pair[0], file.Name()))
			other, err := os.ReadFile(filepath.Join(pair[1], file.Name()))
			if err != nil || string(one) != string(other) {
				t.Errorf("openapi/schemas/%s is stale (make openapi): %v", file.Name(), err)
			}
		}
	}
}

// Package templates loads workflow templates: the four that come with the
// program and those of a directory. A template is data, a YAML or JSON file
// with the members of domain.Template.
package templates

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/firstviscount/platform-coordination/domain"
)

// Limits of what is loaded.
const (
	MaxFileBytes = 1 << 20 // of one file
	MaxFiles     = 256     // of one directory
	MaxDepth     = 32      // of nested mappings and lists in a file
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Builtin returns the templates that come with the program, by file name.
func Builtin() ([]*domain.Template, error) {
	files, err := fs.Sub(builtin, "builtin")
	if err != nil {
		return nil, err
	}
	return loadFiles(files)
}

// Services are the names of all services that templates send commands to, in
// the order in which they first come.
func Services(list []*domain.Template) []string {
	var names []string
	add := func(service string) {
		if !slices.Contains(names, service) {
			names = append(names, service)
		}
	}
	for _, t := range list {
		for _, step := range t.Steps {
			add(step.Service)
		}
		for _, undo := range t.Compensations {
			add(undo.Service)
		}
	}
	return names
}

// LoadDir returns the templates of a directory: one of each *.yaml, *.yml and
// *.json file, by file name; other files, hidden ones and subdirectories are
// passed over. What the API serves as a template can be loaded, too. All faults
// of all files are in the one error, each with its file.
func LoadDir(dir string) ([]*domain.Template, error) {
	list, err := loadFiles(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("templates in %s: %w", dir, err)
	}
	return list, nil
}

// Load returns the built-in templates and those of dir; none with an empty dir.
// A template of dir takes the place of the built-in one with its ID, and, if it
// is active, of the one with its type for new workflows.
func Load(dir string) ([]*domain.Template, error) {
	own, err := Builtin()
	if err != nil || dir == "" {
		return own, err
	}
	further, err := LoadDir(dir)
	if err != nil {
		return nil, err
	}
	own, err = replaced(own, further)
	if err != nil {
		return nil, err
	}
	return Merge(own, further)
}

// replaced are the built-in templates as far as those of a directory leave them.
func replaced(builtin, further []*domain.Template) (left []*domain.Template, err error) {
	for _, t := range builtin {
		if slices.ContainsFunc(further, func(f *domain.Template) bool { return f.ID == t.ID }) {
			continue
		}
		if slices.ContainsFunc(further, func(f *domain.Template) bool { return f.Active && f.Type == t.Type }) {
			t.Active = false // another template, with another hash
			if t, err = domain.ParseTemplate(t.JSON()); err != nil {
				return nil, err
			}
		}
		left = append(left, t)
	}
	return left, nil
}

// Merge joins sets of templates. The same template twice counts once; two that
// differ under one ID, or two active ones of one type, are faults: it would be
// open which of them a new workflow is started with.
func Merge(sets ...[]*domain.Template) ([]*domain.Template, error) {
	var all []*domain.Template
	var faults []error
	byID, active := map[string]*domain.Template{}, map[string]*domain.Template{}
	for _, t := range slices.Concat(sets...) {
		if other, taken := byID[t.ID]; taken {
			if other.Hash() != t.Hash() {
				faults = append(faults, fmt.Errorf("template %q: two different ones have this templateId", t.ID))
			}
			continue
		}
		byID[t.ID] = t
		all = append(all, t)
		if !t.Active {
			continue
		}
		if other, taken := active[t.Type]; taken {
			faults = append(faults, fmt.Errorf("templates %q and %q are both active for type %s", other.ID, t.ID, t.Type))
		}
		active[t.Type] = t
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return all, nil
}

// formats turn the text of a file into strict JSON, by the file's ending.
var formats = map[string]func([]byte) ([]byte, error){
	".yaml": fromYAML,
	".yml":  fromYAML,
	".json": fromJSON,
}

func loadFiles(files fs.FS) ([]*domain.Template, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	var list []*domain.Template
	var faults []error
	for _, entry := range entries {
		name := entry.Name()
		convert := formats[strings.ToLower(path.Ext(name))]
		if convert == nil || entry.IsDir() || strings.HasPrefix(name, ".") {
			continue
		}
		t, err := loadFile(files, name, convert)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
			continue
		}
		if list = append(list, t); len(list) > MaxFiles {
			return nil, fmt.Errorf("more than %d templates", MaxFiles)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return Merge(list)
}

func loadFile(files fs.FS, name string, convert func([]byte) ([]byte, error)) (*domain.Template, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only: nothing is lost
	text, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > MaxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", MaxFileBytes)
	}
	data, err := convert(text)
	if err != nil {
		return nil, err
	}
	t, err := domain.ParseTemplate(data)
	if err != nil {
		return nil, err
	}
	return t, checkSensitive(t)
}

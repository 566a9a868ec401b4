package templates

import (
	"fmt"
	"strings"

	"github.com/firstviscount/platform-coordination/domain"
)

// checkSensitive refuses a template that would make public what is secret or
// personal: metadata is in lists, and the context goes to every participant and
// is shown with the saga. Parameters of a step may hold it: they go to the one
// participant that needs it. Templates that are stored already are not asked.
func checkSensitive(t *domain.Template) error {
	for _, member := range []struct {
		name       string
		parameters domain.Parameters
	}{{"metadata", t.Metadata}, {"context", t.Context}} {
		for _, reference := range member.parameters.References() {
			root, path, _ := strings.Cut(reference, ".")
			if root == domain.RootInput && domain.IsSensitive(strings.Split(path, ".")) {
				return fmt.Errorf("template %q: %s: {{%s}} is secret or personal; use it in the parameters of a step only", t.ID, member.name, reference)
			}
		}
	}
	return nil
}

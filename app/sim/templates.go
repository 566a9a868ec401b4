package sim

import (
	"embed"
	"encoding/json"
	"sync"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

//go:embed templates/*.json
var templateFiles embed.FS

// templates are what the workflows of a run are made from.
type templates struct {
	list   []*domain.Template
	byHash map[string]*domain.Template
	shapes map[*domain.Template]*shape
	// promised is what the oracle judges a template's workflows by: the
	// template itself, unless a test has planted a bug in it.
	promised map[*domain.Template]*domain.Template
}

// builtin are the templates of this package, parsed once.
var builtin = sync.OnceValue(func() *templates { return loadTemplates(func(t []byte) []byte { return t }) })

// loadTemplates parses the embedded templates after edit has changed their text.
func loadTemplates(edit func([]byte) []byte) *templates {
	t := &templates{byHash: map[string]*domain.Template{}, shapes: map[*domain.Template]*shape{},
		promised: map[*domain.Template]*domain.Template{}}
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic("sim: embedded templates: " + err.Error())
	}
	for _, f := range files { // in order of their names
		data, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			panic("sim: embedded template: " + err.Error())
		}
		tmpl, err := domain.ParseTemplate(edit(data))
		if err != nil {
			panic("sim: " + err.Error())
		}
		t.list = append(t.list, tmpl)
		t.byHash[tmpl.Hash()] = tmpl
		t.shapes[tmpl] = newShape(tmpl)
		t.promised[tmpl] = tmpl
	}
	return t
}

func (t *templates) ofType(workflowType string) *domain.Template {
	for _, tmpl := range t.list {
		if tmpl.Type == workflowType {
			return tmpl
		}
	}
	return nil
}

// restore folds a stored record as a replica does that meets it for the first time.
func (t *templates) restore(rec ports.Record) (domain.State, []domain.Event, error) {
	var events []domain.Event
	for _, batch := range rec.Events {
		var part []domain.Event
		if err := json.Unmarshal(batch, &part); err != nil {
			return domain.State{}, nil, err
		}
		events = append(events, part...)
	}
	return domain.Fold(domain.New(rec.Row.WorkflowID, t.byHash[rec.Row.TemplateHash]), events), events, nil
}

// shape is the order of a template's steps, worked out independently of the domain.
type shape struct {
	step   map[string]int
	undo   map[string]int
	preds  [][]int
	before [][]bool // before[i][j]: j must be settled before i
	undoOf []int    // step → compensation, or -1
	stepOf []int    // compensation → step, or -1 for the hook
}

func newShape(t *domain.Template) *shape {
	n := len(t.Steps)
	g := &shape{step: map[string]int{}, undo: map[string]int{}, preds: make([][]int, n), before: make([][]bool, n), undoOf: make([]int, n)}
	for i := range t.Steps {
		g.step[t.Steps[i].Name], g.undoOf[i], g.before[i] = i, -1, make([]bool, n)
		if t.Steps[i].After == nil && i > 0 {
			g.preds[i] = []int{i - 1}
		}
		for _, name := range t.Steps[i].After {
			g.preds[i] = append(g.preds[i], g.step[name])
		}
		for _, p := range g.preds[i] {
			g.before[i][p] = true
			for j, b := range g.before[p] {
				g.before[i][j] = g.before[i][j] || b
			}
		}
	}
	for c := range t.Compensations {
		g.undo[t.Compensations[c].Name] = c
		i, ok := g.step[t.Compensations[c].Compensates]
		if !ok {
			i = -1
		} else {
			g.undoOf[i] = c
		}
		g.stepOf = append(g.stepOf, i)
	}
	return g
}

// rejectable are the steps whose rejection must end a workflow FAILED and COMPENSATED.
func rejectable(t *domain.Template) []string {
	var names []string
	for i := range t.Steps {
		st := &t.Steps[i]
		if st.OnRejected == domain.PolicyCompensate && st.Condition.String() == "" && st.Kind != domain.Retriable {
			names = append(names, st.Name)
		}
	}
	return names
}

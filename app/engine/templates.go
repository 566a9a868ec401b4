package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/ports"
)

// Templates are the templates this replica can start workflows with, and those
// that stored workflows are pinned to, read from the store when they are met.
type Templates struct {
	store  ports.TemplateStore
	active map[string]*domain.Template // by type

	mu     sync.RWMutex
	byHash map[string]*domain.Template
}

// NewTemplates takes the compiled templates of this replica; of one type there
// may be only one active.
func NewTemplates(store ports.TemplateStore, list []*domain.Template) (*Templates, error) {
	t := &Templates{store: store, active: map[string]*domain.Template{}, byHash: map[string]*domain.Template{}}
	for _, tmpl := range list {
		t.byHash[tmpl.Hash()] = tmpl
		if !tmpl.Active {
			continue
		}
		if other := t.active[tmpl.Type]; other != nil {
			return nil, fmt.Errorf("templates %s and %s are both active for type %s", other.ID, tmpl.ID, tmpl.Type)
		}
		t.active[tmpl.Type] = tmpl
	}
	return t, nil
}

// Save puts all of them into the store. No workflow may be started before.
func (t *Templates) Save(ctx context.Context) error {
	for _, tmpl := range t.list() {
		if err := t.store.SaveTemplate(ctx, tmpl.Hash(), tmpl.ID, tmpl.JSON()); err != nil {
			return fmt.Errorf("save template %s: %w", tmpl.ID, err)
		}
	}
	return nil
}

// Active is the template that new workflows of a type use, or nil.
func (t *Templates) Active(workflowType string) *domain.Template { return t.active[workflowType] }

// ByHash finds a template that a workflow is pinned to.
func (t *Templates) ByHash(ctx context.Context, hash string) (*domain.Template, error) {
	t.mu.RLock()
	tmpl := t.byHash[hash]
	t.mu.RUnlock()
	if tmpl != nil {
		return tmpl, nil
	}
	data, err := t.store.LoadTemplate(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("template %s: %w", hash, err)
	}
	if tmpl, err = domain.ParseTemplate(data); err != nil {
		return nil, fmt.Errorf("stored template %s: %w", hash, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byHash[hash] = tmpl
	return tmpl, nil
}

// list is every template known here, by type.
func (t *Templates) list() []*domain.Template {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]*domain.Template, 0, len(t.byHash))
	for _, tmpl := range t.byHash {
		all = append(all, tmpl)
	}
	slices.SortFunc(all, func(a, b *domain.Template) int {
		if c := strings.Compare(a.Type, b.Type); c != 0 {
			return c
		}
		return strings.Compare(a.Hash(), b.Hash())
	})
	return all
}

// byID finds a template by its ID: the active one, or else any known here.
func (t *Templates) byID(id string) (*domain.Template, error) {
	var found *domain.Template
	for _, tmpl := range t.list() {
		if tmpl.ID == id && (found == nil || t.active[tmpl.Type] == tmpl) {
			found = tmpl
		}
	}
	if found == nil {
		return nil, ports.ErrNotFound
	}
	return found, nil
}

// restore folds a stored record into a snapshot.
func (t *Templates) restore(ctx context.Context, rec ports.Record) (ports.Snapshot, error) {
	tmpl, err := t.ByHash(ctx, rec.Row.TemplateHash)
	if err != nil {
		return ports.Snapshot{}, err
	}
	events, err := decodeEvents(rec.Events)
	if err != nil {
		return ports.Snapshot{}, err
	}
	s := domain.Fold(domain.New(rec.Row.WorkflowID, tmpl), events)
	if s.Version != rec.Row.Version {
		return ports.Snapshot{}, errors.New("stored events do not add up to the row's version")
	}
	return ports.Snapshot{State: s, Events: events}, nil
}

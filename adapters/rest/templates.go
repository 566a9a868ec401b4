package rest

import (
	"context"
	"encoding/json"
	"regexp"
	"sync"
	"time"

	"github.com/firstviscount/platform-coordination/domain"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const (
	// usagePeriod is what a template's usage is about.
	usagePeriod = 30 * 24 * time.Hour
	// usageKept is how long computed usage is good for.
	usageKept = time.Second
)

// TemplatesOutput are all templates.
type TemplatesOutput struct {
	Body *coordination.TemplateList
}

// TemplatePath names a template in a path.
type TemplatePath struct {
	TemplateID string `path:"templateId" doc:"Template identifier" example:"tmpl-order-fulfillment-v2"`
}

// TemplateOutput is one template.
type TemplateOutput struct {
	Body *coordination.Template
}

func (s *service) listTemplates(ctx context.Context, _ *struct{}) (*TemplatesOutput, error) {
	used, err := s.usage.byType(ctx, s)
	if err != nil {
		return nil, err
	}
	templates := s.Queries.Templates(ctx)
	list := &coordination.TemplateList{Templates: make(coordination.List[coordination.Template], 0, len(templates))}
	for _, t := range templates {
		shown, err := shownTemplate(t, used)
		if err != nil {
			return nil, err
		}
		list.Templates = append(list.Templates, *shown)
	}
	return &TemplatesOutput{list}, nil
}

func (s *service) getTemplate(ctx context.Context, in *TemplatePath) (*TemplateOutput, error) {
	if !templateID.MatchString(in.TemplateID) {
		return nil, templateNotFound()
	}
	t, err := s.Queries.Template(ctx, in.TemplateID)
	if err != nil {
		return nil, isNotFound(err, coordination.ErrTemplateNotFound, "template")
	}
	used, err := s.usage.byType(ctx, s)
	if err != nil {
		return nil, err
	}
	body, err := shownTemplate(t, used)
	return &TemplateOutput{body}, err
}

// templateID is what the ID of a template can look like.
var templateID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

func templateNotFound() *apiError {
	return newError(coordination.ErrTemplateNotFound, "There is no such template", nil)
}

// shownTemplate is a template with its usage. The wire type reads the
// template's own JSON form, which is why a served template can be loaded again.
func shownTemplate(t *domain.Template, used tally[string]) (*coordination.Template, error) {
	shown := &coordination.Template{}
	if err := json.Unmarshal(t.JSON(), shown); err != nil {
		return nil, err
	}
	shown.Usage = &coordination.TemplateUsage{}
	if u := used[t.Type]; u != nil {
		shown.Usage.LastMonth, shown.Usage.SuccessRate = u.started, u.rate()
	}
	return shown, nil
}

// usage keeps how much the templates were used lately.
type usage struct {
	mu      sync.Mutex
	expires time.Time
	totals  tally[string]
}

// byType are the totals of the last 30 days by workflow type. Callers must not
// change them.
func (u *usage) byType(ctx context.Context, s *service) (tally[string], error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := s.Clock.Now().UTC()
	if now.Before(u.expires) {
		return u.totals, nil
	}
	counts, err := s.Queries.Metrics(ctx, now.Add(-usagePeriod).Truncate(time.Hour), now.Truncate(time.Hour).Add(time.Hour), "")
	if err != nil {
		return nil, err
	}
	u.totals, u.expires = tally[string]{}, now.Add(usageKept)
	for i := range counts {
		u.totals.at(counts[i].Type).add(&counts[i])
	}
	return u.totals, nil
}

package domain

import (
	"strings"
	"testing"
)

func TestEveryDurationThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	_, err := ParseTemplate([]byte(`{"templateId":"tmpl-d","name":"D","type":"D","version":"1","timeout":"8s","steps":[
		{"name":"A","service":"s","action":"a","timeout":"PT1S","parameters":{"timeout":"soon"}},
		{"name":"B","service":"s","action":"b","parkFor":"1h","retryPolicy":{"initialInterval":"500ms","maxInterval":"PT1M"}}]}`))
	if err == nil {
		t.Fatal("loaded")
	}
	for _, want := range []string{"timeout: ", "steps[1].parkFor: ", "steps[1].retryPolicy.initialInterval: "} {
		if !strings.Contains(err.Error(), want+ErrDuration.Error()) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	for _, other := range []string{"steps[0]", "maxInterval"} {
		if strings.Contains(err.Error(), other) {
			t.Errorf("%q is in: %v", other, err)
		}
	}
}

func TestNamesThatOtherHousesGive(t *testing.T) {
	t.Parallel()
	for _, names := range [][2]string{{"gift_card.v1", "issue-card"}, {"GiftCard", "issueCard"}, {"tmpl-gift-card-v1", "issue_card"}} {
		text := `{"templateId":"` + names[0] + `","name":"G","type":"G","version":"1","steps":[{"name":"A","service":"s","action":"` + names[1] + `"}]}`
		if _, err := ParseTemplate([]byte(text)); err != nil {
			t.Error(err)
		}
	}
	for _, names := range [][2]string{{"a/b", "a"}, {"", "a"}, {"a", "a/b"}, {"a", "../a"}, {"a", "a b"}, {"a", ""}} {
		text := `{"templateId":"` + names[0] + `","name":"G","type":"G","version":"1","steps":[{"name":"A","service":"s","action":"` + names[1] + `"}]}`
		if _, err := ParseTemplate([]byte(text)); err == nil {
			t.Errorf("%q loaded", names)
		}
	}
}

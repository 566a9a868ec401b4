package httpclient

import (
	"testing"
	"time"
)

func TestAnswersAreWaitedForUntilTheDeadlineAndNoLonger(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for deadline, want := range map[time.Time]time.Time{
		{}:                            now.Add(MaxAnswerWait),
		now.Add(time.Second):          now.Add(time.Second),
		now.Add(-time.Second):         now.Add(-time.Second),
		now.Add(MaxAnswerWait):        now.Add(MaxAnswerWait),
		now.Add(MaxAnswerWait + 1):    now.Add(MaxAnswerWait),
		now.Add(14 * 24 * 3600 * 1e9): now.Add(MaxAnswerWait),
	} {
		if got := answerBy(now, deadline); !got.Equal(want) {
			t.Errorf("deadline in %s: waits %s, want %s", deadline.Sub(now), got.Sub(now), want.Sub(now))
		}
	}
}

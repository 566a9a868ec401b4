package wiring

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serving starts an endpoint with a handler on a free port.
func serving(t *testing.T, handler http.HandlerFunc) (*endpoint, string) {
	t.Helper()
	listener, err := listen("--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	e := newEndpoint(listener, &http.Server{Handler: handler}, failed)
	e.serve()
	t.Cleanup(func() {
		_ = e.server.Close()
		select {
		case err := <-failed:
			t.Errorf("the server ended by itself: %v", err)
		default:
		}
	})
	return e, "http://" + listener.Addr().String()
}

// get fetches a URL in the background and returns its body, or the error's text.
func get(ctx context.Context, url string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			answer <- "error: " + err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	return answer
}

func TestTakenPortIsOneClearLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, err = listen("--listen", taken.Addr().String())
	want := "--listen: " + taken.Addr().String() + " is taken by another program"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRequestsUnderWayEndBeforeTheEndpoint(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	e, url := serving(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "done")
	})
	answer := get(t.Context(), url)
	<-begun
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	e.shut(impatient)
	close(goOn)
	if err := e.finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "done" {
		t.Errorf("got %q", got)
	}
	if late := <-get(t.Context(), url); !strings.HasPrefix(late, "error: ") {
		t.Errorf("a shut endpoint answered %q", late)
	}
}

func TestFinishCutsOffWhatDoesNotEndInTime(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	e, url := serving(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	answer := get(t.Context(), url)
	<-begun
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e.shut(ctx)
	_ = e.finish(ctx)
	if got := <-answer; !strings.HasPrefix(got, "error: ") {
		t.Errorf("got %q", got)
	}
}

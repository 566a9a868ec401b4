package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/firstviscount/platform-coordination/adapters/participants/httpclient"
	"github.com/firstviscount/platform-coordination/app/engine"
	"github.com/firstviscount/platform-coordination/ports"
	"github.com/firstviscount/platform-coordination/sdk/webhook"
)

// starter starts workflows over REST.
func starter(client *http.Client, base, token, workflowType string) func(context.Context, string) (string, error) {
	return func(ctx context.Context, id string) (string, error) {
		body := fmt.Appendf(nil, `{"type":%q,"businessKey":%q,"input":%s}`, workflowType, id, input(id))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/workflows/start", bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return "", err
		}
		if resp.StatusCode != http.StatusCreated {
			return "", fmt.Errorf("start: %s: %s", resp.Status, data)
		}
		var started struct{ WorkflowID string }
		return started.WorkflowID, unmarshalID(data, &started.WorkflowID)
	}
}

// unmarshalID takes the workflow's ID out of a response without decoding the rest.
func unmarshalID(data []byte, id *string) error {
	const member = `"workflowId":"`
	_, rest, ok := bytes.Cut(data, []byte(member))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return fmt.Errorf("no workflowId in %.100s", data)
	}
	*id = string(rest[:end])
	return nil
}

// participantCommand makes this program the HTTP participant of a run.
const participantCommand = "participant"

// serveParticipant answers every command at once, in a process of its own.
func serveParticipant() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("http://" + listener.Addr().String())
	go func() { // the parent holds standard input: when it is gone, so are we
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var cmd struct {
			Step string `json:"step"`
		}
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&cmd); err != nil && r.Method == http.MethodPost {
			http.Error(w, "bad command", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/refuse") {
			_, _ = io.WriteString(w, `{"outcome":"REJECTED","error":{"code":"REFUSED","message":"as asked"}}`)
			return
		}
		_, _ = io.WriteString(w, `{"outcome":"SUCCEEDED","result":{"reference":"ref-`+cmd.Step+`","status":"DONE"}}`)
	})
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
}

// partner is the participant of a case with what it needs around it.
type partner struct {
	participant ports.Participant
	events      ports.EventSink            // nil if nobody could read them
	attach      func(*engine.Engine) error // lets answers in; nil if Send brings them
	stops       []func()
}

func (p *partner) stop() {
	for _, f := range slices.Backward(p.stops) {
		f()
	}
}

// newPartner makes the participant of a case.
func newPartner(ctx context.Context, kind string) (*partner, error) {
	switch kind {
	case "simulated":
		return &partner{participant: instant{}}, nil
	case "http":
		return newHTTPPartner()
	case "bus", "nats":
		return newBusPartner(ctx, kind)
	}
	return nil, fmt.Errorf("-participants: %q is none of simulated, http, bus, nats", kind)
}

func newHTTPPartner() (*partner, error) {
	url, stop, err := startSelf(participantCommand)
	if err != nil {
		return nil, err
	}
	secret, err := webhook.ParseSecret("whsec_YmVuY2htYXJrIHNlY3JldCBiZW5jaG1hcmsgc2Vj")
	if err != nil {
		return nil, err
	}
	p, err := httpclient.New(httpclient.Config{Service: benchService, URL: url, MaxConcurrency: 128,
		Secret: secret, CallbackBaseURL: "http://127.0.0.1:1"})
	return &partner{participant: p, stops: []func(){stop}}, err
}

// startSelf starts this program again as a participant, and gives the line with
// which it says that it is ready. It ends with stop, or with this process.
func startSelf(args ...string) (ready string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	leash, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = leash.Close(); _ = cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("participant: %w", err)
	}
	return strings.TrimSpace(line), stop, nil
}

package rest

import (
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

const contentTypeJSON = "application/json"

// route answers what the mux would answer in plain text or with a redirect: an
// unknown path, a wrong method, a body of another type.
func (s *service) route(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r.Context())
		handler, pattern := mux.Handler(r)
		switch {
		case pattern == "" || !isClean(r.URL.Path):
			s.writeError(x, unrouted(handler, r))
			return
		case hasBody(r) && !isJSON(r.Header):
			s.writeError(x, unsupportedMediaType())
			return
		}
		if fault := queryFault(r.URL.RawQuery); fault != nil {
			s.writeError(x, fault)
			return
		}
		x.route = pattern
		mux.ServeHTTP(w, r)
	})
}

// queryFault is what is wrong with a query as such: a parameter given twice
// would be read once, a broken one not at all.
func queryFault(query string) *apiError {
	if query == "" {
		return nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return invalid(coordination.Violation{Path: "query", Message: "is not a valid query"})
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > 1 {
			return invalid(coordination.Violation{Path: clip("query."+name, maxPathLength), Message: msgDuplicate})
		}
	}
	return nil
}

// isClean reports a path that the mux would not redirect.
func isClean(path string) bool {
	return !strings.Contains(path, "//") && !strings.Contains(path+"/", "/./") && !strings.Contains(path+"/", "/../")
}

// unrouted is the answer to a request that no route takes. The mux's own
// handler knows which methods the path has.
func unrouted(handler http.Handler, r *http.Request) *apiError {
	if !isClean(r.URL.Path) {
		return newError(coordination.ErrNotFound, "There is nothing at this path", nil)
	}
	probe := &probe{header: http.Header{}}
	handler.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); probe.status == http.StatusMethodNotAllowed {
		return newError(coordination.ErrMethodNotAllowed, "This path does not have this method", nil).with("Allow", allow)
	}
	return newError(coordination.ErrNotFound, "There is nothing at this path", nil)
}

// probe is a response that nobody reads.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header            { return p.header }
func (p *probe) WriteHeader(status int)         { p.status = status }
func (p *probe) Write(data []byte) (int, error) { return len(data), nil }

func hasBody(r *http.Request) bool { return r.ContentLength != 0 && takesBody(r.Method) }

func takesBody(method string) bool { return method == http.MethodPost || method == http.MethodPatch }

// isJSON reports a body that says to be JSON in UTF-8, or does not say what it
// is. It leaves a content type that huma reads the same way.
func isJSON(header http.Header) bool {
	text := header.Get("Content-Type")
	if text == "" || text == contentTypeJSON {
		return true
	}
	kind, parameters, err := mime.ParseMediaType(text)
	charset, named := parameters["charset"]
	if err != nil || kind != contentTypeJSON || named && !strings.EqualFold(charset, "utf-8") {
		return false
	}
	header.Set("Content-Type", contentTypeJSON)
	return true
}

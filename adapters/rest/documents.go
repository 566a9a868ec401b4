package rest

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"sync"

	"gopkg.in/yaml.v3"
)

// wholeNumbers makes floats that are whole integers, so that no document says 1e+09.
func wholeNumbers(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name := range v {
			v[name] = wholeNumbers(v[name])
		}
	case []any:
		for i := range v {
			v[i] = wholeNumbers(v[i])
		}
	case float64:
		const exact = 1 << 53
		if v == math.Trunc(v) && math.Abs(v) < exact {
			return int64(v)
		}
	}
	return value
}

func toJSON(tree any) ([]byte, error) {
	data, err := json.MarshalIndent(tree, "", "  ")
	return append(data, '\n'), err
}

func toYAML(tree any) ([]byte, error) {
	var root yaml.Node
	if err := root.Encode(tree); err != nil {
		return nil, err
	}
	inReadingOrder(&root)
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(&root); err != nil {
		return nil, err
	}
	return text.Bytes(), encoder.Close()
}

// readingOrder is how people expect an OpenAPI document to begin.
var readingOrder = []string{"openapi", "info", "servers", "tags", "paths", "components"}

// inReadingOrder sorts the members of a document's root; the others stay last.
func inReadingOrder(root *yaml.Node) {
	var sorted []*yaml.Node
	for _, name := range readingOrder {
		for i := 0; i+1 < len(root.Content); i += 2 {
			if root.Content[i].Value == name {
				sorted = append(sorted, root.Content[i], root.Content[i+1])
			}
		}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		if !slices.Contains(readingOrder, root.Content[i].Value) {
			sorted = append(sorted, root.Content[i], root.Content[i+1])
		}
	}
	root.Content = sorted
}

// forVersion30 removes what version 3.0 does not have.
func forVersion30(tree map[string]any) {
	delete(tree, "webhooks")
	if info, ok := tree["info"].(map[string]any); ok {
		if license, ok := info["license"].(map[string]any); ok {
			delete(license, "identifier")
			license["url"] = "https://www.apache.org/licenses/LICENSE-2.0"
		}
	}
}

// servedDocument is an OpenAPI document, or the page that shows it.
type servedDocument struct {
	contentType string
	body        []byte
}

// documents are made when somebody first asks for one, once for the process:
// they follow from the code alone.
var documents = sync.OnceValues(func() (map[string]servedDocument, error) {
	all := map[string]servedDocument{}
	for _, version := range []struct{ name, path string }{{OpenAPI31, "/openapi"}, {OpenAPI30, "/openapi-3.0"}} {
		asJSON, err := OpenAPIJSON(version.name)
		if err != nil {
			return nil, err
		}
		asYAML, err := OpenAPI(version.name)
		if err != nil {
			return nil, err
		}
		all[version.path+".json"] = servedDocument{"application/vnd.oai.openapi+json", asJSON}
		all[version.path+".yaml"] = servedDocument{"application/vnd.oai.openapi", asYAML}
	}
	page, err := docsPage()
	all["/docs"] = servedDocument{"text/html; charset=utf-8", page}
	return all, err
})

// serveDocuments puts the documents on mux.
func (s *service) serveDocuments(mux *http.ServeMux) {
	for _, path := range []string{"/openapi.json", "/openapi.yaml", "/openapi-3.0.json", "/openapi-3.0.yaml", "/docs"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			all, err := documents()
			if err != nil {
				s.writeError(exchangeOf(r.Context()), s.failure(r.Context(), err))
				return
			}
			w.Header().Set("Content-Type", all[path].contentType)
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
			_, _ = w.Write(all[path].body)
		})
	}
}

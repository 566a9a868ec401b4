package rest

import (
	"net/http"
	"sync"
)

// readingOrder is how people expect an OpenAPI document to begin.
var readingOrder = []string{"openapi", "info", "servers", "tags", "paths", "components"}

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

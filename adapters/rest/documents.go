package rest

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"gopkg.in/yaml.v3"
)

func toJSON(tree any) ([]byte, error) {
	data, err := json.MarshalIndent(tree, "", "  ")
	return append(data, '\n'), err
}

func toYAML(tree any) ([]byte, error) {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(tree); err != nil {
		return nil, err
	}
	return text.Bytes(), encoder.Close()
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

// documents are the OpenAPI documents and the page that shows them, made once.
type documents map[string]servedDocument

type servedDocument struct {
	contentType string
	body        []byte
}

func newDocuments(doc *huma.OpenAPI) (documents, error) {
	all := documents{}
	for _, version := range []struct{ name, path string }{{OpenAPI31, "/openapi"}, {OpenAPI30, "/openapi-3.0"}} {
		tree, err := documentTree(doc, version.name)
		if err != nil {
			return nil, err
		}
		asJSON, err := toJSON(tree)
		if err != nil {
			return nil, err
		}
		asYAML, err := toYAML(tree)
		if err != nil {
			return nil, err
		}
		all[version.path+".json"] = servedDocument{"application/vnd.oai.openapi+json", asJSON}
		all[version.path+".yaml"] = servedDocument{"application/vnd.oai.openapi", asYAML}
	}
	page, err := docsPage(doc)
	all["/docs"] = servedDocument{"text/html; charset=utf-8", page}
	return all, err
}

func (d documents) register(mux *http.ServeMux) {
	for path, document := range d {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", document.contentType)
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
			_, _ = w.Write(document.body)
		})
	}
}

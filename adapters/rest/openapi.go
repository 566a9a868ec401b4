package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/firstviscount/platform-coordination/adapters/schema"
	"github.com/firstviscount/platform-coordination/sdk/coordination"
)

// The OpenAPI versions that documents are made in.
const (
	OpenAPI31 = "3.1"
	OpenAPI30 = "3.0"
)

const schemaPrefix = "#/components/schemas/"

// newOpenAPI is the document before any operation is registered.
func newOpenAPI() *huma.OpenAPI {
	registry := schema.Registry(schemaPrefix)
	registry.RegisterTypeAlias(reflect.TypeFor[apiError](), reflect.TypeFor[coordination.ErrorEnvelope]())
	for _, input := range []reflect.Type{ // inputs of the built-in types, for the generic start
		reflect.TypeFor[coordination.OrderRequest](), reflect.TypeFor[coordination.ReturnRequest](),
		reflect.TypeFor[coordination.ReplenishmentRequest](), reflect.TypeFor[coordination.CompensationTestInput](),
		reflect.TypeFor[coordination.RecordedEvent](), reflect.TypeFor[coordination.ViolationDetails](),
		reflect.TypeFor[coordination.ConflictDetails](), reflect.TypeFor[coordination.StateDetails](),
		reflect.TypeFor[coordination.FailureDetails](), reflect.TypeFor[coordination.LimitDetails](),
	} {
		registry.Schema(input, true, "")
	}
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "Platform Coordination API", Version: "1.0.0",
			Description: "Workflow orchestration and saga management for distributed transactions",
			License:     &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}},
		Servers: []*huma.Server{
			{URL: "http://platform-coordination:8081/api/v1", Description: "Internal service endpoint"},
			{URL: "https://api.firstviscount.com/coordination/v1", Description: "Production API gateway"},
		},
		Tags: []*huma.Tag{{Name: tagManagement}, {Name: tagQueries}, {Name: tagSagas}, {Name: tagBatches}, {Name: tagTemplates}, {Name: tagWebhooks}, {Name: tagHealth}, {Name: tagCallbacks}},
		Components: &huma.Components{Schemas: registry, SecuritySchemes: map[string]*huma.SecurityScheme{
			securityScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "JSON Web Token with the claims sub, role and, to narrow the role, scope"},
		}},
	}
}

const securityScheme = "bearerAuth"

// describe is an operation with its success and error responses. Every
// response is written out, so that huma adds none of its own.
func (s *service) describe(id, method, path, tag, summary, description string, success int, codes ...coordination.Code) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Description: description,
		DefaultStatus: success, Responses: map[string]*huma.Response{strconv.Itoa(success): {Description: http.StatusText(success)}}}
	row := access[id]
	if !row.open {
		op.Security = []map[string][]string{{securityScheme: {}}}
		op.Description += "\n\nRole: " + roleName(row.role) + " or above. Scope: " + row.scope + "."
		codes = append(codes, coordination.ErrAuthenticationRequired, coordination.ErrInsufficientPermissions,
			coordination.ErrRateLimitExceeded)
	}
	codes = append(codes, coordination.ErrInternal, coordination.ErrServiceUnavailable)
	s.errorResponses(&op, codes)
	return op
}

func roleName(r rank) string {
	for name, other := range ranks {
		if r == other {
			return name
		}
	}
	return ""
}

// errorResponses documents error codes under their statuses.
func (s *service) errorResponses(op *huma.Operation, codes []coordination.Code) {
	byStatus := map[string][]string{}
	for _, code := range codes {
		status := strconv.Itoa(code.HTTPStatus())
		byStatus[status] = append(byStatus[status], string(code))
	}
	if slices.Contains(codes, coordination.ErrInvalidRequest) && takesBody(op.Method) {
		byStatus["413"] = []string{string(coordination.ErrInvalidRequest)}
		byStatus["415"] = []string{string(coordination.ErrInvalidRequest)}
	}
	for status, names := range byStatus {
		slices.Sort(names)
		response := s.jsonResponse(strings.Join(slices.Compact(names), ", "), reflect.TypeFor[coordination.ErrorEnvelope]())
		response.Content[contentTypeJSON].Example = errorExample(coordination.Code(names[0]))
		op.Responses[status] = response
	}
	if r := op.Responses["401"]; r != nil {
		r.Headers = map[string]*huma.Param{"WWW-Authenticate": {Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	for _, status := range []string{"429", "503"} {
		if r := op.Responses[status]; r != nil {
			r.Headers = map[string]*huma.Param{headerRetryAfter: {Description: "Seconds to wait", Schema: &huma.Schema{Type: huma.TypeInteger}}}
		}
	}
}

func (s *service) schema(t reflect.Type) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(t, true, "")
}

func (s *service) jsonResponse(description string, body reflect.Type) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{contentTypeJSON: {Schema: s.schema(body)}}}
}

// read describes a GET.
func (s *service) read(id, path, tag, summary, description string, codes ...coordination.Code) huma.Operation {
	return s.describe(id, http.MethodGet, path, tag, summary, description, http.StatusOK, append(codes, coordination.ErrInvalidRequest)...)
}

// mutation describes a POST that changes a workflow: it can be waited for, and
// then its answer is the final status.
func (s *service) mutation(id, path, tag, summary, description string, success int, body reflect.Type, codes ...coordination.Code) huma.Operation {
	codes = append(slices.Clone(codes), coordination.ErrInvalidRequest, coordination.ErrWorkflowExecutionFailed,
		coordination.ErrCompensationFailed, coordination.ErrTimeoutExceeded)
	op := s.describe(id, http.MethodPost, path, tag, summary, description, success, codes...)
	op.Responses[strconv.Itoa(success)] = &huma.Response{
		Description: http.StatusText(success) + "; with Prefer: wait, if the workflow ended in time, its final status",
		Content: map[string]*huma.MediaType{contentTypeJSON: {Schema: &huma.Schema{
			AnyOf: []*huma.Schema{s.schema(body), s.schema(reflect.TypeFor[coordination.WorkflowStatus]())}}}},
	}
	return op
}

// bodyOptional are operations of whose body every member is optional.
var bodyOptional = []string{"retryWorkflow", "rotateWebhookSecret"}

// operationsOf are all operations of a document.
func operationsOf(doc *huma.OpenAPI) []*huma.Operation {
	var all []*huma.Operation
	for _, path := range doc.Paths {
		for _, op := range []*huma.Operation{path.Get, path.Post, path.Patch, path.Delete} {
			if op != nil {
				all = append(all, op)
			}
		}
	}
	return all
}

// completeOpenAPI corrects what the registration leaves behind and adds what it
// does not know: the raw body is no content type of its own, and every response
// has its request ID.
func completeOpenAPI(doc *huma.OpenAPI) {
	for _, op := range operationsOf(doc) {
		if op.RequestBody != nil {
			delete(op.RequestBody.Content, "application/octet-stream")
			op.RequestBody.Required = !slices.Contains(bodyOptional, op.OperationID)
		}
		for status, response := range op.Responses {
			if response.Headers == nil {
				response.Headers = map[string]*huma.Param{}
			}
			if op.Security != nil && (status < "300" || status == "429") {
				response.Headers[headerLimit] = &huma.Param{Description: "Requests (r) that are left for so many seconds (t)", Schema: &huma.Schema{Type: huma.TypeString}, Example: `"external";r=998;t=3541`}
				response.Headers[headerPolicy] = &huma.Param{Description: "Requests (q) that a window of so many seconds (w) allows", Schema: &huma.Schema{Type: huma.TypeString}, Example: `"external";q=1000;w=3600`}
			}
			response.Headers[headerRequestID] = &huma.Param{Description: "Identifies the request in logs", Schema: &huma.Schema{Type: huma.TypeString}}
		}
	}
	schemas := doc.Components.Schemas.Map()
	for _, name := range []string{"TemplateStep", "TemplateCompensation"} { // attributes hold any JSON
		if s := schemas[name]; s != nil {
			s.Properties["attributes"].AdditionalProperties = true
		}
	}
	addExamples(doc)
}

// OpenAPI is the document of the API in YAML, in version OpenAPI31 or OpenAPI30.
func OpenAPI(version string) ([]byte, error) {
	return document(version, func(tree any) ([]byte, error) { return schema.YAML(tree, readingOrder...) })
}

// OpenAPIJSON is OpenAPI in JSON.
func OpenAPIJSON(version string) ([]byte, error) { return document(version, schema.JSON) }

func document(version string, render func(any) ([]byte, error)) ([]byte, error) {
	tree, err := documentTree(version)
	if err != nil {
		return nil, err
	}
	return render(tree)
}

// documentTree is the document as plain maps, in one of the versions.
func documentTree(version string) (map[string]any, error) {
	s := newService(Deps{})
	s.register(http.NewServeMux())
	doc := s.api.OpenAPI()
	var data []byte
	var err error
	switch version {
	case OpenAPI31:
		data, err = json.Marshal(doc)
	case OpenAPI30:
		data, err = doc.Downgrade()
	default:
		return nil, fmt.Errorf("rest: no OpenAPI version %q; there are %s and %s", version, OpenAPI31, OpenAPI30)
	}
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	if version == OpenAPI30 {
		forVersion30(tree)
	}
	schema.WholeNumbers(tree)
	return tree, nil
}

// Package rest serves the API over HTTP. Handlers decode a request, make one
// call into a port and render what comes back; the rules are elsewhere. What
// travels are the types of sdk/coordination, and the OpenAPI documents are made
// from the same types and from the routes that are really registered.
//
// A response to a mutation is a pure function of the workflow's state right
// after the request took effect, so that a repeated request with the same
// idempotency key is answered with the same bytes.
package rest

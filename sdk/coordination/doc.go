// Package coordination is the Go client of the Platform Coordination API and
// the one definition of its wire format.
//
// The structs of this package are what travels as JSON: the server serves
// them, the client reads them and the OpenAPI documents are generated from
// them. Besides their json tags they carry documentation tags (doc, example,
// enum, pattern, limits), which are plain strings: the package depends on
// nothing but the standard library.
//
// Four small types keep the wire exact. [Amount] is money as decimal text,
// never a float. [Duration] is a time.Duration in the ISO 8601 form PT2M30S.
// [Percent] is a percentage in hundredths. [Time] is a UTC timestamp in
// milliseconds. A [List] that is empty is written
// as [], a [Table] as {}, never as null. Free
// JSON (metadata, results, context) stays [encoding/json.RawMessage].
package coordination

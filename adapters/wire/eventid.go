package wire

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/google/uuid"
)

const eventPrefix = "evt-"

// EventID names an event of a workflow's log to the outside. It is a UUID of
// version 7 (RFC 9562): the time is that of the event, the rest follows from
// workflow and sequence, so that whoever tells of the event, and however often,
// gives it the same name, and no two events share one.
func EventID(workflowID string, sequence int, at time.Time) string {
	id := NamedUUID(workflowID + ":" + strconv.Itoa(sequence))
	var milliseconds [8]byte
	binary.BigEndian.PutUint64(milliseconds[:], uint64(at.UnixMilli()))
	copy(id[:6], milliseconds[2:])
	return eventPrefix + id.String()
}

// NamedUUID follows from a name alone. It has the form of version 7; its time
// means nothing.
func NamedUUID(name string) uuid.UUID {
	sum := sha256.Sum256([]byte(name))
	var id uuid.UUID
	copy(id[:], sum[:])
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80 // version and variant
	return id
}

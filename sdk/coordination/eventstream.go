package coordination

import (
	"bufio"
	"bytes"
	"io"
)

// MaxStreamEventBytes bounds one event of a stream, all its lines together. A
// longer one is [ErrResponseTooLarge].
const MaxStreamEventBytes = 256 << 10

// frame is one event of a stream of server-sent events.
type frame struct{ id, event, data string }

// frames reads server-sent events as the HTML standard describes them. Comments
// are passed over, as are fields that it does not know.
type frames struct {
	in      *bufio.Reader
	line    []byte
	afterCR bool
	begun   bool
}

func newFrames(in io.Reader) *frames { return &frames{in: bufio.NewReader(in)} }

// next returns the next event that has data. At the end of the stream it is
// io.EOF, and what was not ended by an empty line is no event.
func (r *frames) next() (frame, error) {
	var f frame
	var data []byte
	for size := 0; ; {
		if err := r.readLine(MaxStreamEventBytes - size); err != nil {
			return frame{}, err
		}
		if len(r.line) == 0 {
			if data != nil {
				f.data = string(data[:len(data)-1]) // without the last line's end
				return f, nil
			}
			f, size = frame{}, 0
			continue
		}
		name, value, _ := bytes.Cut(r.line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		if len(name) == 0 { // a comment, which takes no room
			continue
		}
		size += len(r.line)
		switch string(name) {
		case "id":
			f.id = string(value)
		case "event":
			f.event = string(value)
		case "data":
			data = append(append(data, value...), '\n')
		}
	}
}

// readLine reads a line, ended by LF, CR or both, without its end.
func (r *frames) readLine(limit int) error {
	r.line = r.line[:0]
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			return err
		}
		secondHalf := r.afterCR && b == '\n'
		r.afterCR = b == '\r'
		switch {
		case secondHalf:
		case b == '\n', b == '\r':
			r.trimMark()
			return nil
		case len(r.line) >= limit:
			return ErrResponseTooLarge
		default:
			r.line = append(r.line, b)
		}
	}
}

// trimMark drops the byte order mark that a stream may begin with.
func (r *frames) trimMark() {
	if !r.begun {
		r.begun = true
		r.line = bytes.TrimPrefix(r.line, []byte("\ufeff"))
	}
}

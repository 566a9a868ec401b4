package coordination

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll reads a stream to its end.
func readAll(in io.Reader) (list []frame, err error) {
	for r := newFrames(in); ; {
		f, err := r.next()
		if err != nil {
			return list, err
		}
		list = append(list, f)
	}
}

func TestFramesAreReadAsTheStandardSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []frame
	}{
		"one event":                {"id: 1\nevent: A\ndata: x\n\n", []frame{{"1", "A", "x"}}},
		"other line ends":          {"id: 1\r\nevent: A\rdata: x\r\n\r\ndata: y\r\r", []frame{{"1", "A", "x"}, {"", "", "y"}}},
		"no space after the colon": {"data:x\n\n", []frame{{"", "", "x"}}},
		"one space is cut":         {"data:  x \n\n", []frame{{"", "", " x "}}},
		"colons in a value":        {"data: a:b\n\n", []frame{{"", "", "a:b"}}},
		"lines of data":            {"data: a\ndata:\ndata: b\n\n", []frame{{"", "", "a\n\nb"}}},
		"empty data":               {"data\n\n", []frame{{"", "", ""}}},
		"comments":                 {": ping\n\n:\ndata: x\n: ping\n\n", []frame{{"", "", "x"}}},
		"unknown fields":           {"retry: 5\nnew: thing\nData: no\ndata: x\n\n", []frame{{"", "", "x"}}},
		"no data is no event":      {"id: 1\nevent: A\n\ndata: x\n\n", []frame{{"", "", "x"}}},
		"empty lines":              {"\n\n\ndata: x\n\n\n\n", []frame{{"", "", "x"}}},
		"byte order mark":          {"\ufeffdata: x\n\ndata: \ufeffy\n\n", []frame{{"", "", "x"}, {"", "", "\ufeffy"}}},
		"cut in a line":            {"data: x\n\ndata: y", []frame{{"", "", "x"}}},
		"cut behind a line":        {"data: x\n\ndata: y\n", []frame{{"", "", "x"}}},
		"nothing":                  {"", nil},
	} {
		for how, in := range map[string]io.Reader{"at once": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text))} {
			got, err := readAll(in)
			if err != io.EOF || !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: got %q (%v), want %q", name, how, got, err, c.want)
			}
		}
	}
}

func TestFramesAreBounded(t *testing.T) {
	t.Parallel()
	fits := "data: " + strings.Repeat("x", MaxStreamEventBytes-len("data: ")) + "\n\n"
	if got, err := readAll(strings.NewReader(fits + fits)); len(got) != 2 || err != io.EOF {
		t.Errorf("two events of the limit: read %d, %v", len(got), err)
	}
	for name, text := range map[string]string{
		"a line":          "x" + fits,
		"a comment":       ":" + strings.Repeat("x", MaxStreamEventBytes) + "\n",
		"lines of data":   strings.Repeat("data: xxxx\n", MaxStreamEventBytes/10+1),
		"lines of others": strings.Repeat("some: thing\n", MaxStreamEventBytes/11+1),
	} {
		if got, err := readAll(strings.NewReader(text)); len(got) != 0 || !errors.Is(err, ErrResponseTooLarge) {
			t.Errorf("%s: read %d events, %v", name, len(got), err)
		}
	}
	comments := strings.Repeat(": "+strings.Repeat("x", 1000)+"\n", 1000) + fits
	if got, err := readAll(strings.NewReader(comments)); len(got) != 1 || err != io.EOF {
		t.Errorf("an event after many comments: read %d, %v", len(got), err)
	}
}

// FuzzFrames reads what may come: whatever it is, it ends, in frames within the
// limit, and is the same however it is cut into reads.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		"id: 1\nevent: A\ndata: {}\n\n: ping\n\nid: 2\r\ndata: x\r\n\r\n", "\ufeffdata\r\r\n\n", "data:\ndata: \n\n", "retry: 1\n\x00:\xff\n\n", "\r\n\r\n\r",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := readAll(strings.NewReader(text))
		if err != io.EOF && !errors.Is(err, ErrResponseTooLarge) {
			t.Fatal(err)
		}
		again, errAgain := readAll(iotest.OneByteReader(strings.NewReader(text)))
		if !slices.Equal(got, again) || err != errAgain {
			t.Errorf("read %q (%v), byte by byte %q (%v)", got, err, again, errAgain)
		}
		var written strings.Builder
		for _, f := range got {
			if len(f.id)+len(f.event)+len(f.data) > MaxStreamEventBytes {
				t.Errorf("an event of %d bytes", len(f.id)+len(f.event)+len(f.data))
			}
			if strings.ContainsAny(f.id+f.event, "\r\n") || strings.Contains(f.data, "\r") {
				t.Errorf("an event holds the end of a line: %q", f)
			}
			written.WriteString("id: " + f.id + "\nevent: " + f.event + "\ndata: " + strings.ReplaceAll(f.data, "\n", "\ndata: ") + "\n\n")
		}
		if err == io.EOF && written.Len() < MaxStreamEventBytes { // written again, the lines may be longer
			if again, err := readAll(strings.NewReader(written.String())); err != io.EOF || !slices.Equal(got, again) {
				t.Errorf("written again, %q is read as %q (%v)", got, again, err)
			}
		}
	})
}

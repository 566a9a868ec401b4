package ledger

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// readBuffer is large enough that most lines are read without copying.
const readBuffer = 64 << 10

// Read returns all entries of a ledger file, oldest first. A torn last line is
// left out, so the file may be read while its participant runs or after it was
// killed. A file that does not exist is an error.
func Read(path string) ([]Entry, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	defer file.Close()
	var entries []Entry
	_, err = scan(file, func(e Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read ledger %s: %w", path, err)
	}
	return entries, nil
}

// scan hands every complete line to each and returns the length of the intact
// part of the file. A last line without its newline is torn; so is a last line
// that is no JSON, which a crash of the machine can leave.
func scan(r io.Reader, each func(Entry) error) (intact int64, err error) {
	lines := bufio.NewReaderSize(r, readBuffer)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return intact, nil
		}
		if err != nil {
			return intact, err
		}
		var e Entry
		if err := json.Unmarshal(bytes.TrimSuffix(line, []byte("\n")), &e); err != nil {
			if _, peek := lines.Peek(1); errors.Is(peek, io.EOF) {
				return intact, nil
			}
			return intact, fmt.Errorf("line %d is damaged", number)
		}
		if err := each(e); err != nil {
			return intact, fmt.Errorf("line %d: %w", number, err)
		}
		intact += int64(len(line))
	}
}

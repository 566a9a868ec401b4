package bus

import (
	"context"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill"
)

// logAdapter has Watermill log through slog. Watermill attaches whole messages
// to some lines; only the fields named here come through, so that no body is
// ever logged. What Watermill calls information is of use only to debug it.
type logAdapter struct{ logger *slog.Logger }

var _ watermill.LoggerAdapter = logAdapter{}

// LogAdapter is how Watermill logs to logger, without the contents of messages.
func LogAdapter(logger *slog.Logger) watermill.LoggerAdapter { return logAdapter{logger} }

// harmless are the fields of Watermill that hold no part of a message.
var harmless = []string{"topic", "topic_name", "handler_name", "subscriber_name", "message_uuid", "count", "timeout"}

// Error logs a failure of Watermill or of a broker's adapter.
func (a logAdapter) Error(msg string, err error, fields watermill.LogFields) {
	a.logger.Error(msg, append(attributes(fields), slog.Any("error", err))...)
}

// Info logs at the level for debugging.
func (a logAdapter) Info(msg string, fields watermill.LogFields) { a.Debug(msg, fields) }

// Debug logs at the level for debugging.
func (a logAdapter) Debug(msg string, fields watermill.LogFields) {
	if a.logger.Enabled(context.Background(), slog.LevelDebug) {
		a.logger.Debug(msg, attributes(fields)...)
	}
}

// Trace logs nothing: it is called several times for each message.
func (a logAdapter) Trace(string, watermill.LogFields) {}

// With adds fields to all lines.
func (a logAdapter) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return logAdapter{a.logger.With(attributes(fields)...)}
}

func attributes(fields watermill.LogFields) []any {
	var attrs []any
	for _, name := range harmless {
		if value, ok := fields[name]; ok {
			attrs = append(attrs, slog.Any(name, value))
		}
	}
	return attrs
}

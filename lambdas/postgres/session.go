package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// answerTimeout bounds the wait for a kept connection to answer. A server that
// failed over may never say that it is gone, and the whole invocation would wait for it.
const answerTimeout = 2 * time.Second

// Session keeps one connection from invocation to invocation. A Lambda
// environment serves one invocation at a time, so one is all it needs, and
// neither a Session nor its connection is for concurrent use.
type Session struct {
	config Config
	conn   *pgx.Conn
}

// NewSession returns a Session that connects when it is first used.
func NewSession(config Config) *Session { return &Session{config: config} }

// Conn returns the kept connection if the server still answers on it, else a new one.
func (s *Session) Conn(ctx context.Context) (*pgx.Conn, error) {
	// Lambda freezes the environment between invocations: a server that went
	// away meanwhile, or failed over, is not noticed until something is sent.
	if s.conn != nil && s.answers(ctx) {
		return s.conn, nil
	}
	s.Close(ctx)
	conn, err := s.config.Connect(ctx)
	if err != nil {
		return nil, err
	}
	s.conn = conn
	return conn, nil
}

func (s *Session) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return s.conn.Ping(ctx) == nil
}

// Close ends the connection, if there is one. The next use makes another.
func (s *Session) Close(ctx context.Context) {
	if s.conn != nil {
		_ = s.conn.Close(ctx) // it is given up in any case
		s.conn = nil
	}
}

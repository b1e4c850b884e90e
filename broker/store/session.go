package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
)

const sessionColumns = `s.id, s.device_id, s.jkt, s.person, s.auth_time, s.acr, s.handle, s.prev_handle,
	s.started, s.ends, s.last_refresh, s.revoked, s.revoked_why`

// sessionFields are where sessionColumns are read to.
func sessionFields(v *Session, person *[]byte) []any {
	return []any{&v.ID, &v.DeviceID, &v.JKT, person, &v.AuthTime, &v.ACR, &v.Handle, &v.PrevHandle,
		&v.Started, &v.Ends, &v.LastRefresh, &v.Revoked, &v.RevokedWhy}
}

// AddSession implements Sessions.
func (s *SQLite) AddSession(ctx context.Context, v Session) error {
	return s.settle(ctx, "add session", func(tx *sql.Tx) error {
		if !isHash(v.Handle) {
			return ErrNotHashed
		}
		person, err := json.Marshal(v.Person)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO sessions
			(id, device_id, jkt, person, auth_time, acr, generation, handle, prev_handle,
			 started, ends, last_refresh, revoked, revoked_why)
			VALUES (?, ?, ?, ?, ?, ?, 1, ?, '', ?, ?, ?, ?, ?)`,
			v.ID, v.DeviceID, v.JKT, string(person), v.AuthTime, v.ACR, v.Handle,
			v.Started, v.Ends, v.LastRefresh, v.Revoked, v.RevokedWhy)
		if err != nil {
			return err
		}
		if err := forgetHandles(ctx, tx, v.Started); err != nil {
			return err
		}
		return addHandle(ctx, tx, v.Handle, v.ID, 1, v.Ends)
	})
}

// forgetHandles drops handles of sessions that are over, a few at a time.
func forgetHandles(ctx context.Context, tx *sql.Tx, now int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM handles WHERE hash IN
		(SELECT hash FROM handles WHERE ends < ? ORDER BY ends LIMIT 1000)`, now)
	return err
}

func addHandle(ctx context.Context, tx *sql.Tx, hash, sessionID string, generation, ends int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO handles (hash, session_id, generation, ends) VALUES (?, ?, ?, ?)`,
		hash, sessionID, generation, ends)
	return err
}

// SessionByID implements Sessions.
func (s *SQLite) SessionByID(ctx context.Context, id string) (Session, error) {
	var v Session
	var person []byte
	err := s.r.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions s WHERE s.id = ?`, id).
		Scan(sessionFields(&v, &person)...)
	if err == nil {
		err = json.Unmarshal(person, &v.Person)
	}
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", explain(err))
	}
	return v, nil
}

// SessionByHandle implements Sessions.
func (s *SQLite) SessionByHandle(ctx context.Context, hash string) (Session, Generation, error) {
	var v Session
	var person []byte
	var newest, of int64
	err := s.r.QueryRowContext(ctx, `SELECT `+sessionColumns+`, s.generation, h.generation
		FROM handles h JOIN sessions s ON s.id = h.session_id WHERE h.hash = ?`, hash).
		Scan(append(sessionFields(&v, &person), &newest, &of)...)
	if err == nil {
		err = json.Unmarshal(person, &v.Person)
	}
	if err != nil {
		return Session{}, "", fmt.Errorf("read session: %w", explain(err))
	}
	return v, generation(newest, of), nil
}

// generation judges a handle by numbers alone. All successors of one handle
// have one number: when a repeated request overtakes the first, the person
// must not be signed out for using the answer that did arrive.
func generation(newest, of int64) Generation {
	switch of {
	case newest:
		return HandleCurrent
	case newest - 1:
		return HandlePrevious
	}
	return HandleOlder
}

// RotateHandle implements Sessions.
func (s *SQLite) RotateHandle(ctx context.Context, sessionID, fromHash, newHash string, now int64) error {
	// On the disk before the answer: a power cut must not sign people out who
	// hold a handle that nobody knows any more.
	return s.settle(ctx, "rotate refresh handle", func(tx *sql.Tx) error {
		if !isHash(newHash) {
			return ErrNotHashed
		}
		var newest, of, ends, revoked int64
		err := tx.QueryRowContext(ctx, `SELECT s.generation, h.generation, s.ends, s.revoked
			FROM handles h JOIN sessions s ON s.id = h.session_id
			WHERE h.hash = ? AND s.id = ?`, fromHash, sessionID).Scan(&newest, &of, &ends, &revoked)
		if err != nil {
			return err
		}
		// An old handle is told from an ended session first: it is the worse news.
		if generation(newest, of) == HandleOlder {
			return ErrHandleSpent
		}
		if revoked != 0 || ends <= now {
			return ErrSessionEnded
		}
		if err := addHandle(ctx, tx, newHash, sessionID, of+1, ends); err != nil {
			return err
		}
		return one(tx.ExecContext(ctx, `UPDATE sessions
			SET generation = ?, handle = ?, prev_handle = ?, last_refresh = ? WHERE id = ?`,
			of+1, newHash, fromHash, now, sessionID))
	})
}

// RevokeSession implements Sessions.
func (s *SQLite) RevokeSession(ctx context.Context, id, why string, now int64) error {
	return s.settle(ctx, "revoke session", func(tx *sql.Tx) error {
		return one(tx.ExecContext(ctx, `UPDATE sessions SET
			revoked_why = CASE WHEN revoked = 0 THEN ? ELSE revoked_why END,
			revoked = CASE WHEN revoked = 0 THEN ? ELSE revoked END
			WHERE id = ?`, why, now, id))
	})
}

// RevokeDeviceSessions implements Sessions.
func (s *SQLite) RevokeDeviceSessions(ctx context.Context, deviceID, why string, now int64) error {
	return s.settle(ctx, "revoke sessions of device", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE sessions SET revoked = ?, revoked_why = ?
			WHERE device_id = ? AND revoked = 0`, now, why, deviceID)
		return err
	})
}

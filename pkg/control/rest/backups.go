package rest

import (
	"errors"
	"net/http"

	"github.com/skystash/skystash/pkg/control"
	"github.com/skystash/skystash/pkg/control/backup"
	"github.com/skystash/skystash/pkg/edge"
)

// backupOf is a backup as the API shows it.
type backupOf struct {
	DatabaseID   string `json:"database_id"`
	CustomerID   string `json:"customer_id"`
	Name         string `json:"name"`
	ID           string `json:"backup_id"`
	CreationTime int64  `json:"creation_time"` // Unix seconds
	State        string `json:"state"`
	Size         int64  `json:"backup_size"` // bytes
	Daily        bool   `json:"daily_backup"`
	Hourly       bool   `json:"hourly_backup"`
}

// backedUp is the database that the path names, of a deployment with backups.
func (x *exchange) backedUp() (*control.Resource, error) {
	r, err := x.resource(x.ids[0], control.Redis)
	if err != nil {
		return nil, err
	}
	if x.cfg.Backups == nil {
		return nil, badRequest("this deployment has no place for backups: deploy it with -c backups=true")
	}
	return r, nil
}

// refusedBackup makes refusals of what package backup refuses.
func refusedBackup(err error) error {
	switch {
	case errors.Is(err, backup.ErrNoBackup):
		return edge.Refuse(http.StatusNotFound, err.Error())
	case errors.Is(err, backup.ErrName), errors.Is(err, backup.ErrTooMany), errors.Is(err, backup.ErrUnfit):
		return badRequest("%s", err.Error())
	}
	return err
}

func (x *exchange) backups() (any, error) {
	r, err := x.backedUp()
	if err != nil {
		return nil, err
	}
	made, err := x.cfg.Backups.List(x.ctx, r.ID)
	if err != nil {
		return nil, err
	}
	out := make([]backupOf, len(made))
	for i, b := range made {
		out[i] = backupOf{
			DatabaseID: r.ID, CustomerID: x.acct.Email, Name: b.Name, ID: b.ID,
			CreationTime: b.CreatedAt.Unix(), State: string(b.State), Size: b.Size,
		}
	}
	return out, nil
}

// createBackup answers when the backup is completed. Upstash answers before, but a function of Lambda does nothing
// after its answer.
func (x *exchange) createBackup() (any, error) {
	r, err := x.backedUp()
	if err != nil {
		return nil, err
	}
	var in struct {
		Name string `json:"name"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	_, err = x.cfg.Backups.Create(x.ctx, r.ID, in.Name)
	return done, refusedBackup(err)
}

func (x *exchange) restoreBackup() (any, error) {
	r, err := x.backedUp()
	if err != nil {
		return nil, err
	}
	var in struct {
		ID string `json:"backup_id"`
	}
	if err := x.body(&in); err != nil {
		return nil, err
	}
	_, err = x.cfg.Backups.Restore(x.ctx, r.ID, in.ID)
	return done, refusedBackup(err)
}

func (x *exchange) deleteBackup() (any, error) {
	r, err := x.backedUp()
	if err != nil {
		return nil, err
	}
	return done, refusedBackup(x.cfg.Backups.Delete(x.ctx, r.ID, x.ids[1]))
}

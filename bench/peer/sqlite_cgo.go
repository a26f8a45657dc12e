//go:build cgo

package peer

import _ "github.com/mattn/go-sqlite3" // registers the driver

func withCgo() []Peer {
	return []Peer{{Name: "sqlite-cgo", Kind: Map, Version: "1.14.53 (mattn)", Setting: sqliteSetting, Open: openSQL("sqlite3")}}
}

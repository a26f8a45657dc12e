// Package cities holds 4,000 cities of the world, the largest by population, as
// real input for examples and demonstrations. See README.md for their origin.
package cities

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed cities.ndjson
var data []byte

// City is one city.
type City struct {
	ID         int     `json:"id"` // of GeoNames
	Name       string  `json:"name"`
	Country    string  `json:"country"` // ISO 3166-1 alpha-2
	Population int     `json:"population"`
	Lat        float64 `json:"lat"` // degrees
	Lon        float64 `json:"lon"` // degrees
}

// Load returns all cities, ordered by id.
func Load() ([]City, error) {
	var all []City
	for i, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var c City
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			return nil, fmt.Errorf("cities.ndjson line %d: %w", i+1, err)
		}
		all = append(all, c)
	}
	return all, nil
}

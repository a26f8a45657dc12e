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
	all, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("cities.ndjson %w", err)
	}
	return all, nil
}

// parse reads one city a line and takes nothing that is not exactly that.
func parse(data []byte) ([]City, error) {
	var all []City
	last := 0
	for i, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		c, err := parseCity(line)
		if err == nil && c.ID <= last {
			err = fmt.Errorf("id %d is not above %d", c.ID, last)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		all, last = append(all, c), c.ID
	}
	return all, nil
}

func parseCity(line []byte) (City, error) {
	var c City
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, err
	}
	if dec.InputOffset() != int64(len(line)) {
		return c, fmt.Errorf("more than one value: %q", line[dec.InputOffset():])
	}
	switch {
	case c.Name == "":
		return c, fmt.Errorf("city %d has no name", c.ID)
	case len(c.Country) != 2:
		return c, fmt.Errorf("country is %q, not two letters", c.Country)
	case c.Population <= 0:
		return c, fmt.Errorf("population is %d", c.Population)
	case c.Lat < -90 || c.Lat > 90 || c.Lon < -180 || c.Lon > 180:
		return c, fmt.Errorf("%v, %v is no place on Earth", c.Lat, c.Lon)
	}
	return c, nil
}

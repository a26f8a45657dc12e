package sim

// Mark begins each line of a run's output that is a Line.
const Mark = "sim: "

// Line is what one seed gave, as JSON on a line of its own.
type Line struct {
	Seed   uint64         `json:"seed"`
	Trace  string         `json:"trace"`
	Err    string         `json:"err,omitempty"`
	Counts map[string]int `json:"counts"`
	States []uint64       `json:"states"` // hashes of the disks that were opened
	Story  string         `json:"story,omitempty"`
}
